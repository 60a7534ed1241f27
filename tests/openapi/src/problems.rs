//! The problems that an operation can respond with, derived from its access, parameters and body.

use platform::http::route::ParameterLocation;
use platform::http::{Access, OperationDescription};

/// The prefix of each problem's `type`.
pub(crate) const PREFIX: &str = "urn:serverless-orders:problem:";

/// A problem type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The HTTP status of the response.
    pub(crate) status: u16,
    /// The last part of its `type`, after [`PREFIX`].
    pub(crate) name: &'static str,
    /// When it occurs.
    pub(crate) description: &'static str,
}

const fn kind(status: u16, name: &'static str, description: &'static str) -> Kind {
    Kind { status, name, description }
}

const INVALID: Kind =
    kind(400, "invalid-request", "The request does not match this contract. `errors` lists the reasons.");
const UNREADABLE: Kind = kind(
    400,
    "unreadable-address",
    "The path or the query cannot be parsed, or a segment of the path is empty.",
);
const UNAUTHORIZED: Kind = kind(
    401,
    "unauthorized",
    "The access token is missing, invalid or expired, or lacks the required scope.",
);
const INSUFFICIENT: Kind = kind(403, "insufficient-scope", "The access token lacks the required scope.");
const FORBIDDEN: Kind = kind(403, "forbidden", "The caller may not use this operation.");
const TOO_LARGE: Kind = kind(413, "too-large", "The body is too large.");
const MEDIA_TYPE: Kind =
    kind(415, "unsupported-media-type", "The body is not uncompressed `application/json` in UTF-8.");
const TOO_MANY: Kind =
    kind(429, "too-many-requests", "The rate limit is exceeded. Retry after the time in `Retry-After`.");
const QUOTA: Kind = kind(429, "quota-exceeded", "The API key has used up its quota for this period.");
const INTERNAL: Kind = kind(500, "internal", "A bug in the service. The correlation id helps to find it.");
const GATEWAY: Kind =
    kind(502, "bad-gateway", "The service failed. The outcome of the request is unknown: retry it.");
const UNAVAILABLE: Kind =
    kind(503, "unavailable", "A required service did not respond. Retry after the time in `Retry-After`.");
const TIMEOUT: Kind = kind(
    504,
    "gateway-timeout",
    "The service took too long. The outcome of the request is unknown: retry it.",
);
const METHOD: Kind = kind(
    405,
    "method-not-allowed",
    "The path does not support this method; `Allow` lists the supported ones. (API Gateway responds with `not-found` instead.)",
);

const NOT_FOUND: Kind = kind(
    404,
    "not-found",
    "The resource does not exist or is not visible to the caller, or the path accepts signed requests only.",
);

const PRECONDITION: Kind =
    kind(412, "precondition-failed", "The resource does not have the `ETag` in `If-Match`: get it again.");

/// The problems that are not specific to one operation.
pub(crate) const GENERAL: [Kind; 16] = [
    NOT_FOUND,
    PRECONDITION,
    INVALID,
    UNREADABLE,
    UNAUTHORIZED,
    INSUFFICIENT,
    FORBIDDEN,
    METHOD,
    TOO_LARGE,
    MEDIA_TYPE,
    TOO_MANY,
    QUOTA,
    INTERNAL,
    GATEWAY,
    UNAVAILABLE,
    TIMEOUT,
];

/// Whether a response has an `ETag`, so that a request can have the condition `If-Match`.
pub(crate) fn returns_etag(description: &OperationDescription) -> bool {
    description.responses.iter().any(|response| response.headers.iter().any(|(name, _)| *name == "ETag"))
}

/// The general problems of an operation with this access, these parameters and this body.
pub(crate) fn common(access: Access, description: &OperationDescription) -> Vec<Kind> {
    let mut kinds = vec![INVALID];
    let has = |location| description.parameters.iter().any(|parameter| parameter.location == location);
    if has(ParameterLocation::Path) || has(ParameterLocation::Query) {
        kinds.push(UNREADABLE);
    }
    if has(ParameterLocation::Path) {
        kinds.push(NOT_FOUND);
    }
    match access {
        Access::Public => kinds.push(FORBIDDEN),
        Access::Scope(_) | Access::ScopeOrHealthCheck(_) | Access::Partner(_) => {
            kinds.extend([UNAUTHORIZED, INSUFFICIENT, FORBIDDEN]);
        }
        Access::Service => kinds.push(FORBIDDEN),
    }
    if returns_etag(description) {
        kinds.push(PRECONDITION);
    }
    if description.body.is_some() {
        kinds.extend([TOO_LARGE, MEDIA_TYPE]);
    }
    kinds.push(TOO_MANY);
    if matches!(access, Access::Partner(_)) {
        kinds.push(QUOTA);
    }
    kinds.extend([INTERNAL, GATEWAY, UNAVAILABLE, TIMEOUT]);
    kinds
}
