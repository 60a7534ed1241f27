//! Values of attributes, which contain no personal data.

use axum::extract::MatchedPath;
use domain::{EventId, OrderId};
use http::{HeaderValue, Method, Uri};
use opentelemetry::Value;

/// A value of an attribute. It can only be made of what never is personal.
#[derive(Debug, Clone)]
pub struct Attribute(Value);

impl Attribute {
    /// A route, such as `/orders/{id}`, without the values of its parameters.
    pub fn route(path: &MatchedPath) -> Self {
        Self(path.as_str().to_owned().into())
    }

    /// The host that a request is sent to.
    pub fn host(uri: &Uri) -> Self {
        Self(uri.host().unwrap_or_default().to_owned().into())
    }

    /// A name or id that the infrastructure gave: a setting, a message id, an operation of AWS. At most 128 characters
    /// of the alphabet of such names; `None` for others.
    pub fn name(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/#".contains(&byte);
        let is_name = !text.is_empty() && text.len() <= 128 && text.bytes().all(is_allowed);
        is_name.then(|| Self(text.to_owned().into()))
    }

    /// The operation of AWS that a request calls, such as `DynamoDB_20120810.PutItem`, in its header `X-Amz-Target`.
    pub fn operation(target: &HeaderValue) -> Option<Self> {
        Self::name(target.to_str().ok()?)
    }
}

impl From<Attribute> for Value {
    fn from(attribute: Attribute) -> Self {
        attribute.0
    }
}

impl From<&'static str> for Attribute {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<bool> for Attribute {
    fn from(value: bool) -> Self {
        Self(value.into())
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}

impl From<u32> for Attribute {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl From<u16> for Attribute {
    fn from(number: u16) -> Self {
        i64::from(number).into()
    }
}

impl From<usize> for Attribute {
    fn from(number: usize) -> Self {
        i64::try_from(number).unwrap_or(i64::MAX).into()
    }
}

impl From<&OrderId> for Attribute {
    fn from(id: &OrderId) -> Self {
        Self(id.to_string().into())
    }
}

impl From<&EventId> for Attribute {
    fn from(id: &EventId) -> Self {
        Self(id.to_string().into())
    }
}

/// The name of a method; `_OTHER` unless it is registered, because a client may send any text.
pub fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
