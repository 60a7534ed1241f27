//! Whose orders a caller may see and place.

use super::access::{Caller, Scope};
use super::problem::Problem;
use domain::{CustomerId, SYNTHETIC_CUSTOMER};

/// The customers whose orders are within a caller's scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerScope {
    /// All: staff, and the shop's own machines.
    All {
        /// Who asks.
        caller: CustomerId,
    },
    /// One: themselves. Who checks the shop's health is the synthetic customer, which nobody else can be: that is no
    /// `sub` (a UUID), no client id (no `-` is ever in one), and no partner's customer (no dot is in it).
    Own(CustomerId),
    /// A partner's. They are `<client id>.<the partner's own name for them>`, so that no two partners' customers are
    /// ever the same, and none of them is one who signed up here: a `sub` has no dot in it.
    Partner(CustomerId),
}

impl CustomerScope {
    /// How far a caller's reaches.
    ///
    /// # Errors
    /// A 401 for who is not known.
    pub fn of_caller(caller: &Caller) -> Result<Self, Problem> {
        match caller {
            Caller::User { id, is_staff: true, .. } => Ok(Self::All { caller: id.clone() }),
            Caller::User { id, is_staff: false, .. } => Ok(Self::Own(id.clone())),
            // Before all that is wider: a token that has both is the narrower one.
            Caller::Machine { scopes, .. } if scopes.contains(Scope::HealthCheck) => {
                Ok(Self::Own(SYNTHETIC_CUSTOMER.parse().map_err(anyhow::Error::from)?))
            }
            Caller::Machine { id, scopes } if scopes.contains(Scope::PartnerOrders) => {
                Ok(Self::Partner(id.clone()))
            }
            Caller::Machine { id, .. } => Ok(Self::All { caller: id.clone() }),
            Caller::Anonymous | Caller::Service { .. } => Err(Problem::unauthorized()),
        }
    }

    /// Who asks, to tell their idempotency keys from those of others.
    pub fn caller_id(&self) -> &str {
        match self {
            Self::All { caller: id } | Self::Own(id) | Self::Partner(id) => id.as_str(),
        }
    }

    /// Whether it is a partner's.
    pub fn is_partner(&self) -> bool {
        matches!(self, Self::Partner(_))
    }

    /// Whether a customer is within it.
    pub fn includes(&self, customer: &CustomerId) -> bool {
        match self {
            Self::All { .. } => true,
            Self::Own(id) => customer == id,
            Self::Partner(id) => {
                customer.as_str().strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }

    /// The customer that a caller names, or is.
    ///
    /// # Errors
    /// Says what is wrong with the name, or that one is missing.
    pub fn resolve_customer(&self, named: Option<&str>) -> Result<CustomerId, String> {
        match (self, named) {
            (Self::Own(id), None) => Ok(id.clone()),
            (Self::Own(id), Some(named)) if named == id.as_str() => Ok(id.clone()),
            (Self::Own(_), Some(_)) => Err("is somebody else: leave it out".to_owned()),
            (Self::All { .. } | Self::Partner(_), None) => Err("is missing: say which customer".to_owned()),
            (Self::All { .. }, Some(named)) => named.parse().map_err(text),
            (Self::Partner(id), Some(named)) => {
                let own: CustomerId = named.parse().map_err(text)?;
                format!("{id}.{own}").parse().map_err(text)
            }
        }
    }

    /// A customer's id as the caller knows it.
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
    fn partners_have_customers_of_their_own() {
        let partner = CustomerScope::Partner(id("client1"));
        let customer = partner.resolve_customer(Some("42")).unwrap();
        assert_eq!(customer.as_str(), "client1.42");
        assert!(partner.includes(&customer));
        assert_eq!(partner.external_id(&customer), "42");
        assert!(!CustomerScope::Partner(id("client")).includes(&customer));
        assert!(!CustomerScope::Partner(id("client12")).includes(&customer));
        assert!(!CustomerScope::Own(id("42")).includes(&customer));
        // A name that looks like another partner's stays within this one's.
        assert_eq!(partner.resolve_customer(Some("client2.42")).unwrap().as_str(), "client1.client2.42");
        assert!(partner.resolve_customer(None).is_err());
        assert!(partner.resolve_customer(Some(&"x".repeat(60))).is_err());
    }

    #[test]
    fn customers_have_themselves_and_staff_have_all() {
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
    fn the_health_check_has_the_synthetic_customer_alone() {
        for scopes in [Scopes::from_iter([Scope::HealthCheck]), Scopes::from_iter(Scope::ALL)] {
            let scope = CustomerScope::of_caller(&Caller::Machine { id: id("m"), scopes }).unwrap();
            assert_eq!(scope, CustomerScope::Own(id(SYNTHETIC_CUSTOMER)));
            assert!(scope.includes(&id(SYNTHETIC_CUSTOMER)));
            assert_eq!(scope.resolve_customer(Some(SYNTHETIC_CUSTOMER)).unwrap(), id(SYNTHETIC_CUSTOMER));
            for other in ["m", "u-1", "client1.42", "client1.synthetic-customer", "synthetic-customer.1"] {
                assert!(!scope.includes(&id(other)), "{other}");
                assert!(scope.resolve_customer(Some(other)).is_err(), "{other}");
            }
        }
        // Not even a person whose token had it, and staff stay staff.
        let scopes = Scopes::from_iter(Scope::ALL);
        let person = CustomerScope::of_caller(&Caller::User { id: id("u-1"), is_staff: false, scopes: scopes.clone() });
        assert_eq!(person.unwrap(), CustomerScope::Own(id("u-1")));
        let staff = CustomerScope::of_caller(&Caller::User { id: id("u-1"), is_staff: true, scopes });
        assert_eq!(staff.unwrap(), CustomerScope::All { caller: id("u-1") });
        let machine = Caller::Machine { id: id("m"), scopes: Scopes::from_iter([Scope::OrdersRead]) };
        assert_eq!(CustomerScope::of_caller(&machine).unwrap(), CustomerScope::All { caller: id("m") });
    }

    #[test]
    fn nobody_who_signs_up_is_the_synthetic_customer() {
        assert!(SYNTHETIC_CUSTOMER.parse::<uuid::Uuid>().is_err(), "a user's sub is a UUID");
        assert!(SYNTHETIC_CUSTOMER.contains('-'), "a client's id has letters, digits, _ and + only");
        assert!(!SYNTHETIC_CUSTOMER.contains('.'), "a partner's customers have a dot");
        let partner = CustomerScope::Partner(id("synthetic-customer"));
        assert_ne!(partner.resolve_customer(Some("1")).unwrap().as_str(), SYNTHETIC_CUSTOMER);
        assert!(!partner.includes(&id(SYNTHETIC_CUSTOMER)));
    }
}
