//! A small JSON client for the API and the local services.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::aws::sign_local;

/// The default timeout of a request: API Gateway times out after 29 s.
const TIMEOUT: Duration = Duration::from_secs(30);
/// AWS WAF's common rule set blocks requests without a user agent.
const USER_AGENT: &str = concat!("serverless-orders/", env!("CARGO_PKG_VERSION"), " (shopctl)");

/// An HTTP client that sends and receives JSON.
#[derive(Clone)]
pub struct Http(ureq::Agent);

/// A response with any status.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body; `Null` when it is empty, a string when it is not JSON.
    pub body: Value,
}

/// A client whose requests time out after 30 s.
impl Default for Http {
    fn default() -> Self {
        Self::with_timeout(TIMEOUT)
    }
}

impl Http {
    /// A client with its own request timeout.
    pub fn with_timeout(timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .user_agent(USER_AGENT);
        Self(config.build().into())
    }

    /// Sends a GET request without headers.
    ///
    /// # Errors
    /// When there is no response, as for all requests.
    pub fn get(&self, url: &str) -> anyhow::Result<Response> {
        self.send("GET", url, &[], None)
    }

    /// Sends a GET request with headers.
    pub fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Response> {
        self.send("GET", url, headers, None)
    }

    /// Sends a DELETE request without headers.
    pub fn delete(&self, url: &str) -> anyhow::Result<Response> {
        self.send("DELETE", url, &[], None)
    }

    /// Sends a PUT request with JSON.
    pub fn put(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Response> {
        self.send("PUT", url, headers, Some(body))
    }

    /// Posts a form.
    pub fn post_form(&self, url: &str, headers: &[(&str, &str)], form: &str) -> anyhow::Result<Response> {
        let form_type = [("content-type", "application/x-www-form-urlencoded")];
        self.send_bytes("POST", url, &[headers, &form_type].concat(), Some(form.as_bytes().to_vec()))
    }

    /// Posts bytes; the headers give their media type.
    pub fn post_bytes(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<Response> {
        self.send_bytes("POST", url, headers, Some(body))
    }

    /// Sends a PATCH request with JSON.
    pub fn patch(&self, url: &str, body: &Value) -> anyhow::Result<Response> {
        self.send("PATCH", url, &[], Some(body))
    }

    /// Posts JSON to a service of the local stack's AWS, such as `lambda`, with a signature.
    pub fn post_signed(&self, service: &str, url: &str, body: &Value) -> anyhow::Result<Response> {
        let headers = sign_local(service, "POST", url, &serde_json::to_vec(body)?)?;
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send("POST", url, &headers, Some(body))
    }

    /// Sends a POST request with JSON.
    pub fn post(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Response> {
        self.send("POST", url, headers, Some(body))
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let json = [("content-type", "application/json")];
        match body {
            Some(body) => {
                self.send_bytes(method, url, &[headers, &json].concat(), Some(serde_json::to_vec(body)?))
            }
            None => self.send_bytes(method, url, headers, None),
        }
    }

    fn send_bytes(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> anyhow::Result<Response> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let context = || format!("{method} {url}");
        let mut response = match body {
            Some(body) => self.0.run(request.body(body)?),
            None => self.0.run(request.body(())?),
        }
        .with_context(context)?;
        let text = response.body_mut().read_to_string().with_context(context)?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Ok(Response { status: response.status().as_u16(), body })
    }
}

impl Response {
    /// The body of a 2xx response. Any other response is an error that includes the server's message.
    pub fn success(self, doing: &str) -> anyhow::Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        bail!("{doing}: {}", self.problem())
    }

    /// The response as text: title, detail and fields of an RFC 9457 problem, or the body as it is.
    fn problem(&self) -> String {
        let text = |key| self.body.get(key).and_then(Value::as_str);
        let Some(title) = text("title") else {
            return format!("{} {}", self.status, self.body);
        };
        let mut line = format!("{} {title}", self.status);
        if let Some(detail) = text("detail") {
            line = format!("{line}: {detail}");
        }
        for error in self.body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let field = |key| error.get(key).and_then(Value::as_str).unwrap_or_default();
            line = format!("{line}\n  {} {}", field("pointer"), field("detail"));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_lists_the_fields_of_a_problem() {
        let response = Response {
            status: 422,
            body: json!({"title": "Invalid order", "errors": [{"pointer": "/lines/0/quantity", "detail": "is 0"}]}),
        };
        let error = response.success("placing the order").unwrap_err().to_string();
        assert_eq!(error, "placing the order: 422 Invalid order\n  /lines/0/quantity is 0");
    }

    #[test]
    fn a_response_that_is_not_a_problem_document_is_quoted() {
        let response = Response { status: 502, body: json!({"message": "Internal server error"}) };
        let error = response.success("reading").unwrap_err().to_string();
        assert_eq!(error, r#"reading: 502 {"message":"Internal server error"}"#);
    }
}
