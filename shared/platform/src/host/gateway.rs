//! Converts an event of API Gateway's Lambda proxy integration to an HTTP request, and a response to the
//! format that the integration expects
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>).
//!
//! The conversion never fails: an event that is not a valid HTTP request becomes a request that carries its
//! own 400 response, see [`refuse`]. `lambda_http` panics in this case.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::{Caller, FieldError, GatewayRequestId, Problem, VerifiedEmail};

/// The fields of the event that are used. An event without `httpMethod` comes from another service or an HTTP
/// API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyEvent {
    http_method: String,
    path: Option<String>,
    headers: Option<BTreeMap<String, Option<String>>>,
    multi_value_headers: Option<BTreeMap<String, Option<Vec<String>>>>,
    query_string_parameters: Option<BTreeMap<String, Option<String>>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Option<Vec<String>>>>,
    request_context: Option<RequestContext>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    request_id: Option<String>,
    extended_request_id: Option<String>,
    authorizer: Option<Authorizer>,
    identity: Option<Identity>,
}

#[derive(Debug, Deserialize)]
struct Authorizer {
    claims: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    user_arn: Option<String>,
}

/// The response to a request that could not be converted, whatever its path.
#[derive(Debug, Clone)]
struct Refused(Problem);

/// Middleware that responds to requests that could not be converted.
pub(super) async fn refuse(mut request: Request, next: Next) -> Response {
    match request.extensions_mut().remove::<Refused>() {
        Some(Refused(problem)) => problem.into_response(),
        None => next.run(request).await,
    }
}

impl From<ProxyEvent> for Request {
    fn from(event: ProxyEvent) -> Self {
        let context = event.request_context.unwrap_or_default();
        let (headers, unreadable) = headers(event.multi_value_headers, event.headers);
        let converted = unreadable.map_or(Ok(()), Err).and_then(|()| {
            let method = Method::from_bytes(event.http_method.as_bytes())
                .map_err(|_| Problem::unreadable("The method is not an HTTP method."))?;
            let query = query(event.multi_value_query_string_parameters, event.query_string_parameters);
            let uri = uri(event.path.as_deref().unwrap_or_default(), &query)?;
            let body = body(event.body, event.is_base64_encoded.unwrap_or_default())?;
            Ok((method, uri, body))
        });
        let mut request = Request::default();
        *request.headers_mut() = headers;
        match converted {
            Ok((method, uri, body)) => {
                (*request.method_mut(), *request.uri_mut()) = (method, uri);
                *request.body_mut() = body;
            }
            Err(problem) => {
                request.extensions_mut().insert(Refused(problem));
            }
        }
        let claims = context.authorizer.and_then(|authorizer| authorizer.claims);
        let signed = context.identity.and_then(|identity| identity.user_arn);
        request.extensions_mut().insert(claims.as_ref().map(VerifiedEmail::from_claims).unwrap_or_default());
        let caller = claims.as_ref().and_then(Caller::from_claims);
        let caller = caller.or(signed.map(|arn| Caller::Service { arn })).unwrap_or_default();
        request.extensions_mut().insert(caller);
        if let Some(id) = context.request_id {
            let extended_id = context.extended_request_id;
            request.extensions_mut().insert(GatewayRequestId { id, extended_id });
        }
        request
    }
}

/// The valid headers, and the problem of the first invalid one.
fn headers(
    multiple: Option<BTreeMap<String, Option<Vec<String>>>>,
    single: Option<BTreeMap<String, Option<String>>>,
) -> (HeaderMap, Option<Problem>) {
    let mut headers = HeaderMap::new();
    let mut problem = None;
    let mut append = |headers: &mut HeaderMap, name: &str, value: &str| {
        let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        // A `HeaderMap` holds at most 2^15 names.
        if header.and_then(|(name, value)| headers.try_append(name, value).ok()).is_none() {
            let name: String = name.chars().take(64).collect();
            let error =
                FieldError::header(&name, "is not a valid HTTP header, or exceeds the number of headers");
            problem.get_or_insert_with(|| Problem::invalid(vec![error]));
        }
    };
    for (name, values) in multiple.into_iter().flatten() {
        for value in values.into_iter().flatten() {
            append(&mut headers, &name, &value);
        }
    }
    // `headers` repeats these with the last value of each. A test event of the console may have only
    // `headers`.
    for (name, value) in single.into_iter().flatten() {
        if let Some(value) = value.filter(|_| !headers.contains_key(&name)) {
            append(&mut headers, &name, &value);
        }
    }
    (headers, problem)
}

/// The encoded query string. The event contains decoded names and values.
fn query(
    multiple: Option<BTreeMap<String, Option<Vec<String>>>>,
    single: Option<BTreeMap<String, Option<String>>>,
) -> String {
    let multiple = multiple
        .into_iter()
        .flatten()
        .flat_map(|(name, values)| values.into_iter().flatten().map(move |value| (name.clone(), value)));
    let mut pairs: Vec<(String, String)> = multiple.collect();
    if pairs.is_empty() {
        let single = single.into_iter().flatten();
        pairs.extend(single.map(|(name, value)| (name, value.unwrap_or_default())));
    }
    let mut query = String::new();
    for (name, value) in pairs {
        query.push(if query.is_empty() { '?' } else { '&' });
        encode(&mut query, &name, b"");
        query.push('=');
        encode(&mut query, &value, b"");
    }
    query
}

/// Joins the path, which does not include the stage, and the query.
///
/// # Errors
/// A 400 if the result is longer than the 65,534 bytes that a [`Uri`] can hold.
fn uri(path: &str, query: &str) -> Result<Uri, Problem> {
    let mut text = String::with_capacity(path.len() + query.len() + 1);
    if !path.starts_with('/') {
        text.push('/');
    }
    encode(&mut text, path, b"/%:@!$&'()*+,;=");
    text.push_str(query);
    let parsed = PathAndQuery::try_from(text);
    parsed.map(Uri::from).map_err(|_| Problem::unreadable("The path and the query are too long."))
}

/// Appends `text` and percent-encodes all but unreserved characters (RFC 3986 §2.3) and those in `kept`.
fn encode(to: &mut String, text: &str, kept: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            to.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

fn body(text: Option<String>, is_base64: bool) -> Result<Body, Problem> {
    let text = text.unwrap_or_default();
    if !is_base64 {
        return Ok(Body::from(text));
    }
    let decoded = STANDARD.decode(text);
    decoded.map(Body::from).map_err(|_| {
        Problem::invalid(vec![FieldError::pointer("", "is marked as Base64 and cannot be decoded")])
    })
}

/// A response in the format that the integration expects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyResponse {
    status_code: u16,
    multi_value_headers: BTreeMap<String, Vec<String>>,
    body: String,
    is_base64_encoded: bool,
}

impl ProxyResponse {
    /// Reads the whole response. A body that is valid UTF-8 and not compressed stays text; any other is
    /// Base64-encoded.
    pub(super) async fn from_response(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            tracing::error!("the body of a response could not be read to its end");
            return Self::internal();
        };
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &parts.headers {
            // API Gateway computes it from the body, which a response to HEAD does not have.
            if name == header::CONTENT_LENGTH {
                continue;
            }
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.entry(name.to_string()).or_default().push(value);
        }
        let is_compressed = parts.headers.contains_key(header::CONTENT_ENCODING);
        let text = Some(body.as_ref()).filter(|_| !is_compressed).and_then(|body| str::from_utf8(body).ok());
        Self {
            status_code: parts.status.as_u16(),
            multi_value_headers: headers,
            is_base64_encoded: text.is_none(),
            body: text.map_or_else(|| STANDARD.encode(&body), str::to_owned),
        }
    }

    /// A 500 for a response whose body cannot be read.
    fn internal() -> Self {
        let problem = Problem::internal();
        let kind = vec!["application/problem+json".to_owned()];
        Self {
            status_code: problem.status().as_u16(),
            multi_value_headers: BTreeMap::from([(header::CONTENT_TYPE.to_string(), kind)]),
            body: serde_json::to_string(&problem).unwrap_or_default(),
            is_base64_encoded: false,
        }
    }
}

#[cfg(test)]
mod tests;
