//! API keys, whose usage plans set the rate limits of partners.

use domain::CustomerId;
use http::HeaderMap;

/// The API keys of a request that came through a host, none for most requests. API Gateway has checked only
/// that a key exists and belongs to a usage plan.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys(Vec<String>);

/// The length of the random part of an API key: 128 bits in hexadecimal.
const KEY_SECRET_LENGTH: usize = 32;

impl ApiKeys {
    /// Reads the header `X-Api-Key`. API Gateway also accepts it more than once.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all("x-api-key").into_iter();
        Self(values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect())
    }

    /// Whether the request has a key, and every key is one of the client with this id: its value is the id,
    /// followed by [`KEY_SECRET_LENGTH`] characters.
    pub(super) fn belong_to(&self, client: &CustomerId) -> bool {
        let is_own = |key: &String| {
            key.strip_prefix(client.as_str()).is_some_and(|secret| secret.len() == KEY_SECRET_LENGTH)
        };
        !self.0.is_empty() && self.0.iter().all(is_own)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;
    use crate::http::access::{Access, Caller, Scope, Scopes};

    #[test]
    fn the_api_key_is_that_of_the_client() {
        let secret = "0123456789abcdef0123456789abcdef";
        let caller = Caller::Machine { id: "client1".parse().unwrap(), scopes: Scopes::default() };
        let is_allowed = |access: Access, keys: &[&str]| {
            let headers = keys.iter().map(|key| (HeaderName::from_static("x-api-key"), key.parse().unwrap()));
            access.check_api_key(&caller, Some(&ApiKeys::from_headers(&headers.collect()))).is_ok()
        };
        let partner = Access::Partner(Scope::PartnerOrders);
        let (own, other) = (format!("client1{secret}"), format!("client2{secret}"));
        assert!(is_allowed(partner, &[&own]));
        assert!(is_allowed(partner, &[&own, &own]));
        for wrong in [
            &other,
            &secret.to_owned(),
            &"client1".to_owned(),
            &format!("client12{secret}"),
            &format!("client{secret}"),
            &format!("CLIENT1{secret}"),
            &format!("{own}0"),
            &format!(" {own}x"),
        ] {
            assert!(!is_allowed(partner, &[wrong]), "{wrong}");
            assert!(!is_allowed(partner, &[&own, wrong]), "{wrong}");
            assert!(!is_allowed(partner, &[wrong, &own]), "{wrong}");
        }
        assert!(!is_allowed(partner, &[]));
        for access in [Access::Public, Access::Scope(Scope::OrdersRead), Access::Service] {
            assert!(is_allowed(access, &[]) && is_allowed(access, &[&other]), "{access:?}");
        }
    }
}
