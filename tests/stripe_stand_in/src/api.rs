//! The routes under `/v1`, and the wire format of requests and responses.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::account::new_id;
use crate::error::{Result, StripeError};
use crate::form::Form;
use crate::operation::Operation;
use crate::server::CloseConnection;
use crate::stand_in::{ApiResponse, Call, Reply, StandIn};

/// The size limit of request bodies: 1 MiB.
const MAX_BODY_BYTES: usize = 1 << 20;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Returns the operation for a method and path, and the id in the path.
fn route<'a>(method: &Method, path: &'a str) -> Option<(Operation, &'a str)> {
    let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
    let post = method == Method::POST;
    if !post && method != Method::GET {
        return None;
    }
    match (post, segments.as_slice()) {
        (true, ["payment_intents"]) => Some((Operation::Create, "")),
        (false, ["payment_intents"]) => Some((Operation::List, "")),
        (false, ["payment_intents", id]) => Some((Operation::Retrieve, id)),
        (true, ["payment_intents", id, "confirm"]) => Some((Operation::Confirm, id)),
        (true, ["payment_intents", id, "cancel"]) => Some((Operation::Cancel, id)),
        (true, ["refunds"]) => Some((Operation::Refund, "")),
        (false, ["refunds"]) => Some((Operation::ListRefunds, "")),
        (false, ["refunds", id]) => Some((Operation::RetrieveRefund, id)),
        _ => None,
    }
}

/// Handles every request that is not for the control API.
pub(crate) async fn respond(State(stand_in): State<Arc<StandIn>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let Some((operation, id)) = route(&parts.method, &path) else {
        let response = ApiResponse::from_result(Err(StripeError::unknown_url(parts.method.as_str(), &path)));
        return into_http_response(response, &new_id("req"), None);
    };
    let post = parts.method == Method::POST;
    let form = if post {
        match to_bytes(body, MAX_BODY_BYTES).await {
            Ok(body) => parse_body(&parts.headers, &body),
            Err(error) => Err(StripeError::invalid(format!("The body could not be read: {error}"))),
        }
    } else {
        Form::parse(parts.uri.query().unwrap_or_default().as_bytes())
    };
    // "Don't send idempotency keys in GET and DELETE requests because it has no effect."
    let key = header_text(&parts.headers, &IDEMPOTENCY_KEY).filter(|key| post && !key.is_empty());
    let call = Call {
        operation,
        id: id.to_owned(),
        authorization: header_text(&parts.headers, &header::AUTHORIZATION),
        key: key.clone(),
        form,
        path,
    };
    // A separate task: an operation that has begun completes even if the client disconnects.
    let answered = tokio::spawn(async move { stand_in.respond(call).await }).await;
    match answered {
        Ok((request_id, Reply::Response(response))) => {
            into_http_response(response, &request_id, key.as_deref())
        }
        Ok((_, Reply::Close(after))) => {
            tokio::time::sleep(after).await;
            CloseConnection.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn parse_body(headers: &HeaderMap, body: &[u8]) -> Result<Form> {
    match header_text(headers, &header::CONTENT_TYPE) {
        Some(kind) if !kind.starts_with("application/x-www-form-urlencoded") => {
            Err(StripeError::invalid(format!(
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded; it is {kind})."
            )))
        }
        _ => Form::parse(body),
    }
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn into_http_response(api_response: ApiResponse, request_id: &str, key: Option<&str>) -> Response {
    let status = StatusCode::from_u16(api_response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, api_response.body).into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/json");
    set(HeaderName::from_static("request-id"), request_id);
    if status == StatusCode::UNAUTHORIZED {
        set(header::WWW_AUTHENTICATE, "Bearer realm=\"Stripe\"");
    }
    if let Some(key) = key {
        set(IDEMPOTENCY_KEY, key);
    }
    if let Some(original) = &api_response.replay_of {
        set(HeaderName::from_static("idempotent-replayed"), "true");
        set(HeaderName::from_static("original-request"), original);
    }
    response
}
