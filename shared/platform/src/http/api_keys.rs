//! API keys, whose usage plans set the rate limits of partners.

use domain::CustomerId;
use http::{HeaderMap, HeaderValue};

/// The length of the random part of an API key: 128 bits in hexadecimal.
pub(crate) const KEY_SECRET_LENGTH: usize = 32;

/// Whether a request has an API key in `X-Api-Key`, and every key is one of the client with this id: its value is the
/// id, followed by [`KEY_SECRET_LENGTH`] characters. API Gateway accepts the header more than once, and has checked
/// only that a key exists and belongs to a usage plan.
pub(super) fn has_own_api_key(headers: &HeaderMap, client: &CustomerId) -> bool {
    let is_own = |key: &HeaderValue| {
        key.as_bytes()
            .strip_prefix(client.as_str().as_bytes())
            .is_some_and(|secret| secret.len() == KEY_SECRET_LENGTH)
    };
    let mut keys = headers.get_all("x-api-key").into_iter().peekable();
    keys.peek().is_some() && keys.all(is_own)
}

#[cfg(test)]
mod tests {
    use crate::http::access::{Access, Caller, Scope, Scopes};
    use http::HeaderName;

    #[test]
    fn the_api_key_is_that_of_the_client() {
        let secret = "0123456789abcdef0123456789abcdef";
        let caller = Caller::Machine { id: "client1".parse().unwrap(), scopes: Scopes::default() };
        let is_allowed = |access: Access, keys: &[&str]| {
            let headers = keys.iter().map(|key| (HeaderName::from_static("x-api-key"), key.parse().unwrap()));
            access.check_api_key(&caller, &headers.collect()).is_ok()
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
