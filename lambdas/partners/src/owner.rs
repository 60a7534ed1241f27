//! Which partner something belongs to.
//!
//! A partner is a machine client. Its customers are `<client id>.<the partner's own name for them>`: that is what the
//! order service makes of them, and client ids have no dot in them.

use domain::CustomerId;
use platform::http::{Caller, Problem};

/// The partner who calls.
///
/// # Errors
/// A 401 for who is not known, a 403 for who is no machine client.
pub fn caller(caller: &Caller) -> Result<&CustomerId, Problem> {
    match caller {
        Caller::Machine { id, .. } if !id.as_str().contains('.') => Ok(id),
        Caller::Anonymous => Err(Problem::unauthorized()),
        Caller::Machine { .. } | Caller::User { .. } | Caller::Service { .. } => Err(Problem::forbidden(
            "Webhooks are for partners, who sign in with a client id and a secret of their own.",
        )),
    }
}

/// The partner whose customer this is, and what they call them; `None` for the shop's own customers.
pub fn of_customer(customer: &CustomerId) -> Option<(CustomerId, &str)> {
    let (partner, own) = customer.as_str().split_once('.')?;
    Some((partner.parse().ok()?, own)).filter(|(_, own)| !own.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_before_the_first_dot_is_the_partner() {
        let of = |text: &str| {
            let id: CustomerId = text.parse().unwrap();
            of_customer(&id).map(|(partner, own)| (partner.to_string(), own.to_owned()))
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
        assert_eq!(caller(&machine).unwrap(), &id);
        let status = |caller_: Caller| caller(&caller_).unwrap_err().status().as_u16();
        assert_eq!(status(Caller::Anonymous), 401);
        assert_eq!(status(Caller::User { id, is_staff: true, scopes: scopes.clone() }), 403);
        assert_eq!(status(Caller::Machine { id: "a.b".parse().unwrap(), scopes }), 403);
    }
}
