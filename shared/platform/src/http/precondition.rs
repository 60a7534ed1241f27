//! Conditional requests (RFC 9110 §13.1) with `ETag`, `If-Match` and `If-None-Match`, which prevent lost
//! updates.

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use schemars::JsonSchema;

use super::problem::{FieldError, Problem};

/// The precondition of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precondition {
    /// The change is unconditional.
    #[default]
    None,
    /// The resource does not exist yet: `If-None-Match: *`.
    Absent,
    /// The resource exists, in any revision: `If-Match: *`.
    Present,
    /// The resource has this revision: `If-Match: "7"`.
    Revision(u64),
}

/// The schema of the header `If-Match`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct IfMatch(#[schemars(regex(pattern = r#"^(\*|"[0-9]{1,19}")$"#))] pub String);

/// The schema of the header `If-None-Match`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct IfNoneMatch(#[schemars(regex(pattern = r"^\*$"))] pub String);

impl Precondition {
    /// Whether a resource with this revision, or a missing one (`None`), meets the precondition.
    pub fn is_met_by(self, revision: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Absent => revision.is_none(),
            Self::Present => revision.is_some(),
            Self::Revision(wanted) => revision == Some(wanted),
        }
    }

    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let text =
            |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        match (text(&header::IF_MATCH), text(&header::IF_NONE_MATCH)) {
            (None, None) => Ok(Self::None),
            (None, Some("*")) => Ok(Self::Absent),
            (None, Some(_)) => {
                Err(wrong("If-None-Match", "must be *, which creates the resource if it does not exist"))
            }
            (Some("*"), None) => Ok(Self::Present),
            (Some(tag), None) => {
                let revision = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                let revision = revision.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                revision
                    .and_then(|text| text.parse().ok())
                    .map(Self::Revision)
                    .ok_or_else(|| wrong("If-Match", "must be the ETag of the resource, such as \"7\", or *"))
            }
            (Some(_), Some(_)) => Err(wrong("If-Match", "cannot be sent together with If-None-Match")),
        }
    }
}

fn wrong(name: &str, why: &str) -> Problem {
    Problem::invalid(vec![FieldError::header(name, why)])
}

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

/// Middleware that evaluates `If-Match` for the response to a GET, if it has an `ETag` (RFC 9110 §13.1.1).
/// `If-None-Match` is evaluated by those routes whose ETag changes with every byte of the response: that of a
/// product does not change with its stock.
pub(super) async fn evaluate_if_match(request: Request, next: Next) -> Response {
    let values = request.headers().get_all(header::IF_MATCH).into_iter();
    let sent: Vec<HeaderValue> = values.cloned().collect();
    let response = next.run(request).await;
    let tag = response.headers().get(header::ETAG).filter(|_| response.status().is_success());
    let Some(tag) = tag.and_then(|tag| tag.to_str().ok()).filter(|_| !sent.is_empty()) else {
        return response;
    };
    let mut tags = sent.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if tags.any(|sent| matches!(sent.trim(), "*") || sent.trim() == tag) {
        return response;
    }
    Problem::precondition_failed("The resource does not have the ETag in If-Match. Get it again.")
        .into_response()
}

/// Adds the `ETag` of a revision to a response.
pub fn with_etag(revision: u64, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(HeaderName, &'static str)]) -> Option<Precondition> {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        Precondition::read(&headers).ok()
    }

    #[test]
    fn preconditions_are_parsed_from_headers() {
        use http::header::{IF_MATCH, IF_NONE_MATCH};
        assert_eq!(read(&[]), Some(Precondition::None));
        assert_eq!(read(&[(IF_MATCH, "\"7\"")]), Some(Precondition::Revision(7)));
        assert_eq!(read(&[(IF_MATCH, "*")]), Some(Precondition::Present));
        assert_eq!(read(&[(IF_NONE_MATCH, "*")]), Some(Precondition::Absent));
        for bad in
            ["7", "\"\"", "W/\"7\"", "\"x\"", "\"+7\"", "\"7\", \"8\"", "\"99999999999999999999\"", "\""]
        {
            assert_eq!(read(&[(IF_MATCH, bad)]), None, "{bad}");
        }
        assert_eq!(read(&[(IF_NONE_MATCH, "\"7\"")]), None);
        assert_eq!(read(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")]), None);
    }

    #[test]
    fn preconditions_are_checked_against_revisions() {
        for (condition, absent, first, second) in [
            (Precondition::None, true, true, true),
            (Precondition::Absent, true, false, false),
            (Precondition::Present, false, true, true),
            (Precondition::Revision(2), false, false, true),
        ] {
            let held =
                [condition.is_met_by(None), condition.is_met_by(Some(1)), condition.is_met_by(Some(2))];
            assert_eq!(held, [absent, first, second], "{condition:?}");
        }
    }
}
