//! What the gateway answers where it does not ask a function: the same problems, in the same form.
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>)

use serde_json::{Map, Value, json};

use crate::problems::PREFIX;

/// A kind of answer of the gateway's: its name, the problem's status, name and title, and what it says.
type Refusal = (&'static str, u16, &'static str, &'static str, &'static str);

const INVALID: &str = "The request is not valid";
const FORBIDDEN: &str = "Forbidden";
const BUG: &str = "This is a bug in the service. The correlation id helps to find it.";

// The gateway knows what is wrong with a body (`$context.error.validationErrorString`), but nothing says that it is
// escaped, and it holds what the client sent: in a template it could break out of its quotes.
const REFUSALS: [Refusal; 19] = [
    ("ACCESS_DENIED", 403, "forbidden", FORBIDDEN, "This is not for you, whatever you send."),
    ("API_CONFIGURATION_ERROR", 500, "internal", "Internal error", BUG),
    ("AUTHORIZER_CONFIGURATION_ERROR", 500, "internal", "Internal error", BUG),
    ("AUTHORIZER_FAILURE", 500, "internal", "Internal error", BUG),
    (
        "BAD_REQUEST_BODY",
        400,
        "invalid-request",
        INVALID,
        "The body is not as the contract says. It is at /v1/reference: look at what this operation takes.",
    ),
    ("BAD_REQUEST_PARAMETERS", 400, "invalid-request", INVALID, MESSAGE),
    (
        "DEFAULT_4XX",
        403,
        "forbidden",
        "Refused by the gateway",
        "The gateway cannot tell who sent this, such as where a signature is not complete.",
    ),
    (
        "DEFAULT_5XX",
        502,
        "bad-gateway",
        "The service failed",
        "What became of the request is not known. Send it again, with the same Idempotency-Key if it has one.",
    ),
    (
        "EXPIRED_TOKEN",
        403,
        "forbidden",
        FORBIDDEN,
        "The credentials that signed the request are no longer good.",
    ),
    (
        "INTEGRATION_FAILURE",
        502,
        "bad-gateway",
        "The service failed",
        "What became of the request is not known. Send it again, with the same Idempotency-Key if it has one.",
    ),
    (
        "INTEGRATION_TIMEOUT",
        504,
        "gateway-timeout",
        "The service took too long",
        "What became of the request is not known. Send it again, with the same Idempotency-Key if it has one.",
    ),
    ("INVALID_API_KEY", 403, "forbidden", FORBIDDEN, "Send your API key in the header X-Api-Key."),
    ("INVALID_SIGNATURE", 403, "forbidden", FORBIDDEN, "The signature does not fit the request."),
    (
        "MISSING_AUTHENTICATION_TOKEN",
        404,
        "not-found",
        "Not found",
        "There is nothing at this path, or it is for signed requests only.",
    ),
    (
        "QUOTA_EXCEEDED",
        429,
        "quota-exceeded",
        "The quota is used up",
        "The API key has had all its requests of this period.",
    ),
    (
        "REQUEST_TOO_LARGE",
        413,
        "too-large",
        "The body is too large",
        "The gateway takes no body as large as this.",
    ),
    (
        "THROTTLED",
        429,
        "too-many-requests",
        "Too many requests",
        "Wait a moment, then send the request again.",
    ),
    (
        "UNAUTHORIZED",
        401,
        "unauthorized",
        "Not signed in",
        "Send an access token that is still good and has the scope for this, as Authorization: Bearer <token>.",
    ),
    (
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "unsupported-media-type",
        "Unsupported media type",
        "Send JSON, with the header Content-Type: application/json.",
    ),
];

/// What the gateway says itself: JSON already, in quotes, and nothing of what the client sent.
const MESSAGE: &str = "$context.error.messageString";

/// The gateway's own answers, as its definition has them.
pub(crate) fn responses() -> Value {
    let filtered = ("WAF_FILTERED", 403, "forbidden", FORBIDDEN, "The firewall refused the request.");
    REFUSALS
        .into_iter()
        .chain([filtered])
        .map(|refusal| (refusal.0.to_owned(), response(refusal)))
        .collect::<Map<_, _>>()
        .into()
}

/// The origin whose pages may read them: the first of those that may call the API. A mapping can name one, and to give
/// back whichever origin asks would let in all.
fn origin() -> Value {
    let first = json!({ "Fn::Select": ["0", { "Fn::Split": [",", { "Ref": "AllowedOrigins" }] }] });
    let quoted = json!({ "Fn::Sub": ["'${Origin}'", { "Origin": first }] });
    json!({ "Fn::If": ["HasAllowedOrigins", quoted, { "Ref": "AWS::NoValue" }] })
}

fn response((_, status, name, title, detail): Refusal) -> Value {
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
