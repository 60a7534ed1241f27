//! The customers on whose behalf a caller may read and place orders.

use super::access::{Caller, Scope};
use super::problem::Problem;
use domain::{CustomerId, SYNTHETIC_CUSTOMER_ID};

/// The customers whose orders a caller may access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerScope {
    /// All customers: for staff and the shop's own machines.
    All {
        /// The user or client that sent the request.
        caller: CustomerId,
    },
    /// The callers themselves. The health check acts as the synthetic customer, whose id no one else can
    /// have: it is not a `sub` (a UUID), not a client id (which has no `-`), and not a partner's customer (it
    /// has no dot).
    Own(CustomerId),
    /// The customers of the partner with this client id. Their ids are `<client id>.<the partner's own id>`,
    /// so that they are distinct from those of other partners and from users of the shop: a `sub` has no dot.
    Partner(CustomerId),
}

impl CustomerScope {
    /// Determines the scope of a caller.
    ///
    /// # Errors
    /// A 401 for an anonymous caller.
    pub fn of_caller(caller: &Caller) -> Result<Self, Problem> {
        match caller {
            Caller::User { id, is_staff: true, .. } => Ok(Self::All { caller: id.clone() }),
            Caller::User { id, is_staff: false, .. } => Ok(Self::Own(id.clone())),
            // Checked before the wider scopes: a token that has both gets the narrower one.
            Caller::Machine { scopes, .. } if scopes.contains(Scope::HealthCheck) => {
                Ok(Self::Own(SYNTHETIC_CUSTOMER_ID.parse().map_err(anyhow::Error::from)?))
            }
            Caller::Machine { id, scopes } if scopes.contains(Scope::PartnerOrders) => {
                Ok(Self::Partner(id.clone()))
            }
            Caller::Machine { id, .. } => Ok(Self::All { caller: id.clone() }),
            Caller::Anonymous | Caller::Service { .. } => Err(Problem::unauthorized()),
        }
    }

    /// The id of the caller, to which idempotency keys are scoped.
    pub fn caller_id(&self) -> &str {
        match self {
            Self::All { caller: id } | Self::Own(id) | Self::Partner(id) => id.as_str(),
        }
    }

    /// Whether the caller is a partner.
    pub fn is_partner(&self) -> bool {
        matches!(self, Self::Partner(_))
    }

    /// Whether the scope includes a customer.
    pub fn includes(&self, customer: &CustomerId) -> bool {
        match self {
            Self::All { .. } => true,
            Self::Own(id) => customer == id,
            Self::Partner(id) => {
                customer.as_str().strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }

    /// Resolves the customer id in a request, or the caller's own id if the request has none.
    ///
    /// # Errors
    /// Says what is wrong with the customer id, or that it is missing.
    pub fn resolve_customer(&self, requested: Option<&str>) -> Result<CustomerId, String> {
        match (self, requested) {
            (Self::Own(id), None) => Ok(id.clone()),
            (Self::Own(id), Some(requested)) if requested == id.as_str() => Ok(id.clone()),
            (Self::Own(_), Some(_)) => Err("is another customer: omit it".to_owned()),
            (Self::All { .. } | Self::Partner(_), None) => Err("is missing: say which customer".to_owned()),
            (Self::All { .. }, Some(requested)) => requested.parse().map_err(text),
            (Self::Partner(id), Some(requested)) => {
                let own: CustomerId = requested.parse().map_err(text)?;
                format!("{id}.{own}").parse().map_err(text)
            }
        }
    }

    /// The id by which the caller knows a customer: for a partner, without the client id.
    pub fn external_id<'a>(&self, customer: &'a CustomerId) -> &'a str {
        match self {
            Self::Partner(id) => {
                let own = customer.as_str().strip_prefix(id.as_str());
                own.and_then(|rest| rest.strip_prefix('.')).unwrap_or(customer.as_str())
            }
            Self::All { .. } | Self::Own(_) => customer.as_str(),
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::access::Scopes;

    fn id(text: &str) -> CustomerId {
        text.parse().unwrap()
    }

    #[test]
    fn partners_have_their_own_customers() {
        let partner = CustomerScope::Partner(id("client1"));
        let customer = partner.resolve_customer(Some("42")).unwrap();
        assert_eq!(customer.as_str(), "client1.42");
        assert!(partner.includes(&customer));
        assert_eq!(partner.external_id(&customer), "42");
        assert!(!CustomerScope::Partner(id("client")).includes(&customer));
        assert!(!CustomerScope::Partner(id("client12")).includes(&customer));
        assert!(!CustomerScope::Own(id("42")).includes(&customer));
        // An id that looks like that of another partner's customer stays in the scope of this partner.
        assert_eq!(partner.resolve_customer(Some("client2.42")).unwrap().as_str(), "client1.client2.42");
        assert!(partner.resolve_customer(None).is_err());
        assert!(partner.resolve_customer(Some(&"x".repeat(60))).is_err());
    }

    #[test]
    fn customers_access_themselves_and_staff_access_all() {
        let own = CustomerScope::Own(id("u-1"));
        assert_eq!(own.resolve_customer(None).unwrap(), id("u-1"));
        assert_eq!(own.resolve_customer(Some("u-1")).unwrap(), id("u-1"));
        assert!(own.resolve_customer(Some("u-2")).is_err());
        let all = CustomerScope::All { caller: id("u-1") };
        assert_eq!(all.resolve_customer(Some("u-2")).unwrap(), id("u-2"));
        assert!(all.resolve_customer(None).is_err() && all.resolve_customer(Some("a b")).is_err());
        assert!(all.includes(&id("u-2")) && !own.includes(&id("u-2")));
    }

    #[test]
    fn the_health_check_accesses_the_synthetic_customer_only() {
        for scopes in [Scopes::from_iter([Scope::HealthCheck]), Scopes::from_iter(Scope::ALL.iter().copied())]
        {
            let scope = CustomerScope::of_caller(&Caller::Machine { id: id("m"), scopes }).unwrap();
            assert_eq!(scope, CustomerScope::Own(id(SYNTHETIC_CUSTOMER_ID)));
            assert!(scope.includes(&id(SYNTHETIC_CUSTOMER_ID)));
            assert_eq!(
                scope.resolve_customer(Some(SYNTHETIC_CUSTOMER_ID)).unwrap(),
                id(SYNTHETIC_CUSTOMER_ID)
            );
            for other in ["m", "u-1", "client1.42", "client1.synthetic-customer", "synthetic-customer.1"] {
                assert!(!scope.includes(&id(other)), "{other}");
                assert!(scope.resolve_customer(Some(other)).is_err(), "{other}");
            }
        }
        // The scope has no effect in the token of a user, who may be staff or not.
        let scopes = Scopes::from_iter(Scope::ALL.iter().copied());
        let user = CustomerScope::of_caller(&Caller::User {
            id: id("u-1"),
            is_staff: false,
            scopes: scopes.clone(),
        });
        assert_eq!(user.unwrap(), CustomerScope::Own(id("u-1")));
        let staff = CustomerScope::of_caller(&Caller::User { id: id("u-1"), is_staff: true, scopes });
        assert_eq!(staff.unwrap(), CustomerScope::All { caller: id("u-1") });
        let machine = Caller::Machine { id: id("m"), scopes: Scopes::from_iter([Scope::OrdersRead]) };
        assert_eq!(CustomerScope::of_caller(&machine).unwrap(), CustomerScope::All { caller: id("m") });
    }

    #[test]
    fn no_one_can_sign_up_as_the_synthetic_customer() {
        assert!(SYNTHETIC_CUSTOMER_ID.parse::<uuid::Uuid>().is_err(), "a user's sub is a UUID");
        assert!(SYNTHETIC_CUSTOMER_ID.contains('-'), "a client id has only letters, digits, _ and +");
        assert!(!SYNTHETIC_CUSTOMER_ID.contains('.'), "a partner's customers have a dot");
        let partner = CustomerScope::Partner(id("synthetic-customer"));
        assert_ne!(partner.resolve_customer(Some("1")).unwrap().as_str(), SYNTHETIC_CUSTOMER_ID);
        assert!(!partner.includes(&id(SYNTHETIC_CUSTOMER_ID)));
    }
}
