//! A small JSON client for the API and for what runs beside it on this machine.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::aws::sign_local;

/// How long a request may take: API Gateway gives up after 29 s.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Who asks. AWS WAF's common rule set refuses requests that do not say.
const USER_AGENT: &str = concat!("serverless-orders/", env!("CARGO_PKG_VERSION"), " (xtask)");

/// Sends JSON, reads JSON.
#[derive(Clone)]
pub(crate) struct Http(ureq::Agent);

/// An answer of any status.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body; `Null` when it is empty, a string when it is not JSON.
    pub(crate) body: Value,
}

impl Http {
    pub(crate) fn new() -> Self {
        Self::within(TIMEOUT)
    }

    /// A client that gives up a request after `limit`.
    pub(crate) fn within(limit: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .user_agent(USER_AGENT);
        Self(config.build().into())
    }

    pub(crate) fn get(&self, url: &str) -> anyhow::Result<Answer> {
        self.send("GET", url, &[], None)
    }

    /// A request with headers of its own.
    pub(crate) fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.send("GET", url, headers, None)
    }

    pub(crate) fn delete(&self, url: &str) -> anyhow::Result<Answer> {
        self.send("DELETE", url, &[], None)
    }

    pub(crate) fn put(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Answer> {
        self.send("PUT", url, headers, Some(body))
    }

    /// A request with a form in it.
    pub(crate) fn post_form(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> anyhow::Result<Answer> {
        let form_type = [("content-type", "application/x-www-form-urlencoded")];
        self.send_bytes("POST", url, &[headers, &form_type].concat(), Some(form.as_bytes().to_vec()))
    }

    /// A request with bytes of whatever media type the headers name.
    pub(crate) fn post_bytes(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        self.send_bytes("POST", url, headers, Some(body))
    }

    pub(crate) fn patch(&self, url: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send("PATCH", url, &[], Some(body))
    }

    /// A request that is signed for a service of the local stack's AWS, such as `lambda`.
    pub(crate) fn post_signed(&self, service: &str, url: &str, body: &Value) -> anyhow::Result<Answer> {
        let headers = sign_local(service, "POST", url, &serde_json::to_vec(body)?)?;
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send("POST", url, &headers, Some(body))
    }

    pub(crate) fn post(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> anyhow::Result<Answer> {
        self.send("POST", url, headers, Some(body))
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
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
    ) -> anyhow::Result<Answer> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = || format!("{method} {url}");
        let mut response = match body {
            Some(body) => self.0.run(request.body(body)?),
            None => self.0.run(request.body(())?),
        }
        .with_context(asked)?;
        let text = response.body_mut().read_to_string().with_context(asked)?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Ok(Answer { status: response.status().as_u16(), body })
    }
}

impl Answer {
    /// The body of a 2xx answer; anything else is an error that says what the server said.
    pub(crate) fn success(self, doing: &str) -> anyhow::Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        bail!("{doing}: {}", self.problem())
    }

    /// The answer as one line: title, detail and the fields of an RFC 9457 problem, or the body as it is.
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
    fn a_problem_names_its_fields() {
        let answer = Answer {
            status: 422,
            body: json!({"title": "Invalid order", "errors": [{"pointer": "/lines/0/quantity", "detail": "is 0"}]}),
        };
        let error = answer.success("placing the order").unwrap_err().to_string();
        assert_eq!(error, "placing the order: 422 Invalid order\n  /lines/0/quantity is 0");
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_quoted() {
        let answer = Answer { status: 502, body: json!({"message": "Internal server error"}) };
        let error = answer.success("reading").unwrap_err().to_string();
        assert_eq!(error, r#"reading: 502 {"message":"Internal server error"}"#);
    }
}
