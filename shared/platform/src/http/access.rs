//! Who calls, and what they may: decided here, for every route of every service.
//!
//! API Gateway checks a token before the function runs, and says in the request's context whose it is; where there is
//! no gateway's context, [`super::bearer`] checks the token itself. Both end in a [`Caller`], which each route's
//! [`Access`] looks at once more. Headers say nothing here: anybody can send them.

use axum::extract::FromRequestParts;
use domain::CustomerId;
use http::request::Parts;
use serde_json::{Map, Value};

use super::problem::Problem;

/// What a token lets its bearer do (RFC 6749 §3.3), as the resource servers in `template.yaml` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read orders: a customer their own, staff and the shop's own machines all.
    OrdersRead,
    /// Place and cancel orders.
    OrdersWrite,
    /// Change products, and count deliveries in.
    InventoryWrite,
    /// Read the own profile.
    ProfileRead,
    /// Change the own profile.
    ProfileWrite,
    /// Place, read and cancel orders for a partner's customers.
    PartnerOrders,
    /// Subscribe to a partner's order events.
    PartnerWebhooks,
    /// Export orders, and read what was sold.
    ReportsRead,
    /// Check the shop's health: place, read and list the synthetic customer's orders. It narrows a machine's token,
    /// whatever else that has, and means nothing in a person's.
    HealthCheck,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::InventoryWrite,
        Self::ProfileRead,
        Self::ProfileWrite,
        Self::PartnerOrders,
        Self::PartnerWebhooks,
        Self::ReportsRead,
        Self::HealthCheck,
    ];

    /// Its name in a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrdersRead => "orders/read",
            Self::OrdersWrite => "orders/write",
            Self::InventoryWrite => "inventory/write",
            Self::ProfileRead => "profile/read",
            Self::ProfileWrite => "profile/write",
            Self::PartnerOrders => "partner/orders",
            Self::PartnerWebhooks => "partner/webhooks",
            Self::ReportsRead => "reports/read",
            Self::HealthCheck => "health/check",
        }
    }
}

/// The scopes of a token, without those that mean nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// From the claim `scope`: names with spaces between them.
    pub fn parse(claim: &str) -> Self {
        let named = |scope: &Scope| claim.split(' ').any(|name| name == scope.name());
        Self(Scope::ALL.into_iter().filter(named).collect())
    }

    /// Whether `scope` is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// The group of the user pool whose members run the shop.
pub const STAFF_GROUP: &str = "staff";

/// Who sent a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// Nobody knows.
    #[default]
    Anonymous,
    /// A person who signed in.
    User {
        /// Who: the token's `sub`.
        id: CustomerId,
        /// Whether they run the shop.
        is_staff: bool,
        /// What their token is good for.
        scopes: Scopes,
    },
    /// A program with a client id and a secret of its own (RFC 6749 §4.4).
    Machine {
        /// Its client id.
        id: CustomerId,
        /// What its token is good for.
        scopes: Scopes,
    },
    /// A function, or whoever else the account's IAM lets call: the request was signed.
    Service {
        /// The role or user that signed.
        arn: String,
    },
}

impl Caller {
    /// Reads the claims of an access token whose signature somebody has checked: `None` where they are not those of
    /// one, such as an ID token's
    /// (<https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>).
    ///
    /// The gateway gives every claim as text, a list as `a,b` or `[a b]`; a token itself has lists.
    pub fn from_claims(claims: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("token_use")? != "access" {
            return None;
        }
        let id: CustomerId = text("sub")?.parse().ok()?;
        let scopes = Scopes::parse(text("scope").unwrap_or_default());
        // A client that signs in as itself has no user behind it: Cognito gives its id as the subject.
        if text("client_id")? == id.as_str() {
            return Some(Self::Machine { id, scopes });
        }
        let is_staff = match claims.get("cognito:groups") {
            Some(Value::Array(groups)) => groups.iter().any(|group| group == STAFF_GROUP),
            Some(Value::String(groups)) => {
                groups.trim_matches(['[', ']']).split([',', ' ']).any(|group| group == STAFF_GROUP)
            }
            _ => false,
        };
        Some(Self::User { id, is_staff, scopes })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whose token has this scope.
    Scope(Scope),
    /// Whose token has this scope; and the machine that checks the shop's health, with [`Scope::HealthCheck`] instead.
    /// Only for routes that ask [`super::CustomerScope`] whose data it is: that machine's reaches one customer.
    ScopeOrHealthCheck(Scope),
    /// Whose token has this scope, and who sends an API key with it: the key's usage plan sets their limits.
    Partner(Scope),
    /// This stack's own functions, and who else the account's IAM allows it: the request is signed (Signature
    /// Version 4).
    Service,
}

impl Access {
    /// The scopes any one of which suffices; none where no token is asked for.
    pub fn scopes(self) -> Vec<Scope> {
        match self {
            Self::Public | Self::Service => Vec::new(),
            Self::Scope(scope) | Self::Partner(scope) => vec![scope],
            Self::ScopeOrHealthCheck(scope) => vec![scope, Scope::HealthCheck],
        }
    }

    /// Lets `caller` in.
    ///
    /// # Errors
    /// A 401 for who is not known, a 403 for who may not.
    pub fn authorize(self, caller: &Caller) -> Result<(), Problem> {
        match (self, caller) {
            (Self::Public, _) | (Self::Service, Caller::Service { .. }) => Ok(()),
            (Self::Service, _) => {
                Err(Problem::forbidden("This takes signed requests of the shop's own functions only."))
            }
            (_, Caller::Anonymous | Caller::Service { .. }) => Err(Problem::unauthorized()),
            (Self::ScopeOrHealthCheck(_), Caller::Machine { scopes, .. })
                if scopes.contains(Scope::HealthCheck) =>
            {
                Ok(())
            }
            // Whatever else is in it: what has no reach to narrow would be wide open to it.
            (_, Caller::Machine { scopes, .. }) if scopes.contains(Scope::HealthCheck) => {
                Err(Problem::forbidden(
                    "A token with the scope health/check is good for the health check alone: ask for one without it.",
                ))
            }
            (
                Self::Scope(scope) | Self::ScopeOrHealthCheck(scope) | Self::Partner(scope),
                Caller::User { scopes, .. } | Caller::Machine { scopes, .. },
            ) => {
                if scopes.contains(scope) {
                    Ok(())
                } else {
                    Err(Problem::insufficient_scope(scope.name()))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    fn caller(claims: Value) -> Option<Caller> {
        Caller::from_claims(claims.as_object().unwrap())
    }

    #[test]
    fn a_users_claims_are_read_in_both_spellings() {
        for groups in [json!(["staff"]), json!("[staff]"), json!("[other staff]"), json!("staff,other")] {
            let found = caller(json!({
                "sub": "u-1", "client_id": "shop", "token_use": "access",
                "scope": "orders/read unknown/x", "cognito:groups": groups,
            }));
            let scopes = Scopes::from_iter([Scope::OrdersRead]);
            assert_eq!(found, Some(Caller::User { id: "u-1".parse().unwrap(), is_staff: true, scopes }));
        }
        for groups in [json!(null), json!("[]"), json!("staffers"), json!(["Staff"]), json!(7)] {
            let found = caller(json!({
                "sub": "u-1", "client_id": "shop", "token_use": "access", "cognito:groups": groups,
            }));
            assert!(matches!(found, Some(Caller::User { is_staff: false, .. })), "{groups}");
        }
    }

    #[test]
    fn a_client_on_its_own_is_a_machine() {
        let found =
            caller(json!({"sub": "m", "client_id": "m", "token_use": "access", "scope": "partner/orders"}));
        let scopes = Scopes::from_iter([Scope::PartnerOrders]);
        assert_eq!(found, Some(Caller::Machine { id: "m".parse().unwrap(), scopes }));
    }

    #[test]
    fn what_is_no_access_token_is_nobody() {
        for claims in [
            json!({}),
            json!({"sub": "u-1", "aud": "shop", "token_use": "id", "scope": "orders/read"}),
            json!({"sub": "u-1", "token_use": "access"}),
            json!({"sub": "", "client_id": "shop", "token_use": "access"}),
            json!({"sub": "a b", "client_id": "shop", "token_use": "access"}),
            json!({"sub": 7, "client_id": "shop", "token_use": "access"}),
        ] {
            assert_eq!(caller(claims.clone()), None, "{claims}");
        }
    }

    #[test]
    fn each_route_lets_in_whom_it_should() {
        let id: CustomerId = "x".parse().unwrap();
        let scopes = Scopes::from_iter([Scope::OrdersRead]);
        let user = Caller::User { id: id.clone(), is_staff: true, scopes: scopes.clone() };
        let machine = Caller::Machine { id, scopes };
        let service = Caller::Service { arn: "arn:aws:sts::1:assumed-role/r/f".to_owned() };
        let status =
            |access: Access, caller: &Caller| access.authorize(caller).err().map(|problem| problem.status());
        for caller in [&Caller::Anonymous, &user, &machine, &service] {
            assert_eq!(status(Access::Public, caller), None);
        }
        for caller in [&user, &machine] {
            assert_eq!(status(Access::Scope(Scope::OrdersRead), caller), None);
            assert_eq!(status(Access::Scope(Scope::OrdersWrite), caller), Some(StatusCode::FORBIDDEN));
            assert_eq!(status(Access::Partner(Scope::PartnerOrders), caller), Some(StatusCode::FORBIDDEN));
            assert_eq!(status(Access::Service, caller), Some(StatusCode::FORBIDDEN));
        }
        for caller in [&Caller::Anonymous, &service] {
            assert_eq!(status(Access::Scope(Scope::OrdersRead), caller), Some(StatusCode::UNAUTHORIZED));
        }
        assert_eq!(status(Access::Service, &service), None);
        assert_eq!(status(Access::Service, &Caller::Anonymous), Some(StatusCode::FORBIDDEN));
    }

    #[test]
    fn the_health_check_is_let_in_where_it_is_named_and_nowhere_else() {
        let id: CustomerId = "x".parse().unwrap();
        let alone = Scopes::from_iter([Scope::HealthCheck]);
        let status =
            |access: Access, caller: &Caller| access.authorize(caller).err().map(|problem| problem.status());
        for scopes in [alone.clone(), Scopes::from_iter(Scope::ALL)] {
            let machine = Caller::Machine { id: id.clone(), scopes };
            for scope in Scope::ALL {
                assert_eq!(status(Access::ScopeOrHealthCheck(scope), &machine), None);
                assert_eq!(status(Access::Scope(scope), &machine), Some(StatusCode::FORBIDDEN), "{scope:?}");
                assert_eq!(
                    status(Access::Partner(scope), &machine),
                    Some(StatusCode::FORBIDDEN),
                    "{scope:?}"
                );
            }
            assert_eq!(status(Access::Service, &machine), Some(StatusCode::FORBIDDEN));
            assert_eq!(status(Access::Public, &machine), None);
        }
        let route = Access::ScopeOrHealthCheck(Scope::OrdersRead);
        for caller in [Caller::Anonymous, Caller::Service { arn: "arn".to_owned() }] {
            assert_eq!(status(route, &caller), Some(StatusCode::UNAUTHORIZED));
        }
        for staff in [false, true] {
            let user = Caller::User { id: id.clone(), is_staff: staff, scopes: alone.clone() };
            assert_eq!(
                status(route, &user),
                Some(StatusCode::FORBIDDEN),
                "it means nothing in a person's token"
            );
            let both = Scopes::from_iter([Scope::OrdersRead, Scope::HealthCheck]);
            let user = Caller::User { id: id.clone(), is_staff: staff, scopes: both };
            assert_eq!(status(route, &user), None);
            assert_eq!(status(Access::Scope(Scope::OrdersRead), &user), None);
        }
    }

    #[test]
    fn a_route_names_the_scopes_that_open_it() {
        use Scope::{HealthCheck, OrdersRead, PartnerOrders};
        assert_eq!(Access::Public.scopes(), []);
        assert_eq!(Access::Service.scopes(), []);
        assert_eq!(Access::Scope(OrdersRead).scopes(), [OrdersRead]);
        assert_eq!(Access::Partner(PartnerOrders).scopes(), [PartnerOrders]);
        assert_eq!(Access::ScopeOrHealthCheck(OrdersRead).scopes(), [OrdersRead, HealthCheck]);
    }
}
