//! The partner that a request or a customer belongs to.
//!
//! A partner is a machine client. The order service gives its customers the ids `<client id>.<the partner's
//! customer id>`; client ids contain no dot.

use domain::CustomerId;
use platform::http::{Caller, Problem};

/// Returns the partner that sent the request.
///
/// # Errors
/// A 401 for an anonymous caller, a 403 for a caller that is not a machine client.
pub fn calling_partner(caller: &Caller) -> Result<&CustomerId, Problem> {
    match caller {
        Caller::Machine { id, .. } if !id.as_str().contains('.') => Ok(id),
        Caller::Anonymous => Err(Problem::unauthorized()),
        Caller::Machine { .. } | Caller::User { .. } | Caller::Service { .. } => Err(Problem::forbidden(
            "Only partners can use webhooks. Get the access token with the client id and secret of a partner.",
        )),
    }
}

/// Splits a customer id into the partner and its own id of the customer. Returns `None` for the shop's own
/// customers.
pub fn split_customer_id(customer: &CustomerId) -> Option<(CustomerId, &str)> {
    let (partner, own) = customer.as_str().split_once('.')?;
    Some((partner.parse().ok()?, own)).filter(|(_, own)| !own.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_before_the_first_dot_is_the_partner() {
        let of = |text: &str| {
            // As stored: ids of dots only are no longer accepted.
            let id: CustomerId = serde_json::from_value(text.into()).unwrap();
            split_customer_id(&id).map(|(partner, own)| (partner.to_string(), own.to_owned()))
        };
        assert_eq!(of("client1.42"), Some(("client1".into(), "42".into())));
        assert_eq!(of("client1.client2.42"), Some(("client1".into(), "client2.42".into())));
        for none in ["cust-1", ".42", "client1.", "."] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn only_machines_are_partners() {
        let id: CustomerId = "client1".parse().unwrap();
        let scopes = platform::http::access::Scopes::default();
        let machine = Caller::Machine { id: id.clone(), scopes: scopes.clone() };
        assert_eq!(calling_partner(&machine).unwrap(), &id);
        let status = |caller: Caller| calling_partner(&caller).unwrap_err().status().as_u16();
        assert_eq!(status(Caller::Anonymous), 401);
        assert_eq!(status(Caller::User { id, is_staff: true, scopes: scopes.clone() }), 403);
        assert_eq!(status(Caller::Machine { id: "a.b".parse().unwrap(), scopes }), 403);
    }
}
