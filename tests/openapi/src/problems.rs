//! The problems that an operation can answer with, by rule.

use platform::http::route::ParameterLocation;
use platform::http::{Access, OperationDescription};

/// What the `type` of a problem starts with.
pub(crate) const PREFIX: &str = "urn:serverless-orders:problem:";

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The status that it is answered with.
    pub(crate) status: u16,
    /// The end of its `type`.
    pub(crate) name: &'static str,
    /// When it is answered.
    pub(crate) about: &'static str,
}

const fn kind(status: u16, name: &'static str, about: &'static str) -> Kind {
    Kind { status, name, about }
}

const INVALID: Kind = kind(
    400,
    "invalid-request",
    "The request is not as this contract says: `errors` names what, where the function refused it.",
);
const UNREADABLE: Kind = kind(400, "unreadable-address", "The path or the query cannot be read.");
const UNAUTHORIZED: Kind =
    kind(401, "unauthorized", "There is no access token, or it is no longer good, or lacks the scope.");
const INSUFFICIENT: Kind = kind(403, "insufficient-scope", "The token lacks the scope that this needs.");
const FORBIDDEN: Kind = kind(403, "forbidden", "Not for this caller, whatever is sent.");
const TOO_LARGE: Kind = kind(413, "too-large", "The body is too large.");
const MEDIA_TYPE: Kind = kind(415, "unsupported-media-type", "The body is not sent as `application/json`.");
const TOO_MANY: Kind =
    kind(429, "too-many-requests", "Too many requests at once: wait as `Retry-After` says, then try again.");
const QUOTA: Kind = kind(429, "quota-exceeded", "The API key has had all its requests of this period.");
const INTERNAL: Kind = kind(500, "internal", "A bug. The correlation id helps to find it.");
const GATEWAY: Kind =
    kind(502, "bad-gateway", "The service failed. What became of the request is not known: send it again.");
const UNAVAILABLE: Kind = kind(
    503,
    "unavailable",
    "Something that is needed did not answer. Wait as `Retry-After` says, then send the request again.",
);
const TIMEOUT: Kind = kind(
    504,
    "gateway-timeout",
    "The service took too long. What became of the request is not known: send it again.",
);
const METHOD: Kind = kind(
    405,
    "method-not-allowed",
    "The path has no such method; `Allow` names those it has. (Behind API Gateway: `not-found`.)",
);

const NOT_FOUND: Kind = kind(
    404,
    "not-found",
    "There is no such thing, at least not for you; or it is for signed requests only.",
);

/// All that are not an operation's own.
pub(crate) const GENERAL: [Kind; 15] = [
    NOT_FOUND,
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

/// Those of every operation like this one, its own not among them.
pub(crate) fn common(access: Access, description: &OperationDescription) -> Vec<Kind> {
    let mut kinds = vec![INVALID];
    let has = |place| description.parameters.iter().any(|parameter| parameter.location == place);
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
