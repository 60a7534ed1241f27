//! The gateway responses: what API Gateway responds with when it does not invoke a function. They are the same problems
//! in the same form.
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>)

use serde_json::{Map, Value, json};

use crate::problems::PREFIX;

/// A gateway response: its type, and the status, name, title and detail of the problem.
type GatewayResponse = (&'static str, u16, &'static str, &'static str, &'static str);

const INVALID: &str = "The request is not valid";
const FORBIDDEN: &str = "Forbidden";
const BUG: &str = "This is a bug in the service. The correlation id helps to find it.";

const RESPONSES: [GatewayResponse; 18] = [
    ("ACCESS_DENIED", 403, "forbidden", FORBIDDEN, "You may not use this operation."),
    ("API_CONFIGURATION_ERROR", 500, "internal", "Internal error", BUG),
    ("AUTHORIZER_CONFIGURATION_ERROR", 500, "internal", "Internal error", BUG),
    ("AUTHORIZER_FAILURE", 500, "internal", "Internal error", BUG),
    ("BAD_REQUEST_PARAMETERS", 400, "invalid-request", INVALID, MESSAGE),
    (
        "DEFAULT_4XX",
        403,
        "forbidden",
        "Rejected by the gateway",
        "The gateway cannot authenticate the request, for example because its signature is incomplete.",
    ),
    (
        "DEFAULT_5XX",
        502,
        "bad-gateway",
        "The service failed",
        "The outcome of the request is unknown. Retry it, with the same Idempotency-Key if it has one.",
    ),
    ("EXPIRED_TOKEN", 403, "forbidden", FORBIDDEN, "The credentials that signed the request have expired."),
    (
        "INTEGRATION_FAILURE",
        502,
        "bad-gateway",
        "The service failed",
        "The outcome of the request is unknown. Retry it, with the same Idempotency-Key if it has one.",
    ),
    (
        "INTEGRATION_TIMEOUT",
        504,
        "gateway-timeout",
        "The service took too long",
        "The outcome of the request is unknown. Retry it, with the same Idempotency-Key if it has one.",
    ),
    ("INVALID_API_KEY", 403, "forbidden", FORBIDDEN, "Send your API key in the header X-Api-Key."),
    ("INVALID_SIGNATURE", 403, "forbidden", FORBIDDEN, "The signature does not match the request."),
    (
        "MISSING_AUTHENTICATION_TOKEN",
        404,
        "not-found",
        "Not found",
        "There is nothing at this path, or it accepts signed requests only.",
    ),
    (
        "QUOTA_EXCEEDED",
        429,
        "quota-exceeded",
        "Quota exceeded",
        "The API key has used up its quota for this period.",
    ),
    (
        "REQUEST_TOO_LARGE",
        413,
        "too-large",
        "The body is too large",
        "The body is larger than the gateway accepts.",
    ),
    (
        "THROTTLED",
        429,
        "too-many-requests",
        "Too many requests",
        "Retry after the time in the header Retry-After.",
    ),
    (
        "UNAUTHORIZED",
        401,
        "unauthorized",
        "Not signed in",
        "Send a valid access token with the required scope, in the header Authorization: Bearer <token>.",
    ),
    (
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "unsupported-media-type",
        "Unsupported media type",
        "Send JSON, with the header Content-Type: application/json.",
    ),
];

/// The gateway's own message: already a quoted JSON string, and without anything that the client sent.
const MESSAGE: &str = "$context.error.messageString";

/// The gateway responses, as the gateway's definition contains them.
pub(crate) fn responses() -> Value {
    let filtered = ("WAF_FILTERED", 403, "forbidden", FORBIDDEN, "The firewall blocked the request.");
    RESPONSES
        .into_iter()
        .chain([filtered])
        .map(|it| (it.0.to_owned(), response(it)))
        .collect::<Map<_, _>>()
        .into()
}

/// The origin whose pages may read the responses: the first of those that may call the API. A mapping can name only one,
/// and echoing the request's origin would allow every origin.
fn origin() -> Value {
    let first = json!({ "Fn::Select": ["0", { "Fn::Split": [",", { "Ref": "AllowedOrigins" }] }] });
    let quoted = json!({ "Fn::Sub": ["'${Origin}'", { "Origin": first }] });
    json!({ "Fn::If": ["HasAllowedOrigins", quoted, { "Ref": "AWS::NoValue" }] })
}

fn response((_, status, name, title, detail): GatewayResponse) -> Value {
    let text = |text: &str| Value::from(text).to_string();
    let detail = if detail == MESSAGE { MESSAGE.to_owned() } else { text(detail) };
    let mut headers = json!({
        "Content-Type": "'application/problem+json'",
        "X-Correlation-Id": "context.requestId",
        "Access-Control-Allow-Origin": origin(),
        "Access-Control-Expose-Headers": "'X-Correlation-Id, Retry-After, WWW-Authenticate'",
        "Vary": "'Origin'",
    });
    match status {
        401 => headers["WWW-Authenticate"] = "'Bearer'".into(),
        429 => headers["Retry-After"] = (if name == "quota-exceeded" { "'3600'" } else { "'1'" }).into(),
        _ => {}
    }
    let headers: Map<String, Value> = headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (format!("gatewayresponse.header.{name}"), value.clone()))
        .collect();
    let problem = format!(
        r#"{{"type": {}, "title": {}, "status": {status}, "detail": {detail}, "correlation_id": "$context.requestId"}}"#,
        text(&format!("{PREFIX}{name}")),
        text(title),
    );
    json!({
        "statusCode": status.to_string(),
        "responseParameters": headers,
        "responseTemplates": { "application/json": problem },
    })
}
