//! Authentication and authorization of the callers of every route.
//!
//! API Gateway verifies a token before the function runs, and passes its claims in the request context.
//! Without a gateway, [`super::bearer`] verifies the token. Both produce a [`Caller`], which the [`Access`]
//! of each route checks. Headers do not identify a caller, because anyone can send them.

use axum::extract::FromRequestParts;
use domain::CustomerId;
use http::HeaderMap;
use http::request::Parts;
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantArray};

use super::api_keys::has_own_api_key;
use super::problem::Problem;

/// A scope of an access token (RFC 6749 §3.3). The resource servers in `template.yaml` define the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
pub enum Scope {
    /// Read orders: customers their own, staff and the shop's own machines all orders.
    #[strum(serialize = "orders/read")]
    OrdersRead,
    /// Place and cancel orders.
    #[strum(serialize = "orders/write")]
    OrdersWrite,
    /// Update products and record stock deliveries.
    #[strum(serialize = "inventory/write")]
    InventoryWrite,
    /// Read the caller's own profile.
    #[strum(serialize = "profile/read")]
    ProfileRead,
    /// Update the caller's own profile.
    #[strum(serialize = "profile/write")]
    ProfileWrite,
    /// Place, read and cancel orders for a partner's customers.
    #[strum(serialize = "partner/orders")]
    PartnerOrders,
    /// Subscribe to a partner's order events.
    #[strum(serialize = "partner/webhooks")]
    PartnerWebhooks,
    /// Export orders and read sales reports.
    #[strum(serialize = "reports/read")]
    ReportsRead,
    /// Check the health of the shop: place, read and list orders of the synthetic customer. It restricts the
    /// token of a machine to that, whatever other scopes the token has. It has no effect in the token of a
    /// user.
    #[strum(serialize = "health/check")]
    HealthCheck,
}

impl Scope {
    /// All scopes that exist, in the order of their declaration.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in a token.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The known scopes of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Parses the claim `scope`, a space-separated list of names. Unknown names are ignored.
    pub fn parse(claim: &str) -> Self {
        let named = |scope: &Scope| claim.split(' ').any(|name| name == scope.name());
        Self(Scope::ALL.iter().copied().filter(named).collect())
    }

    /// Whether the token has `scope`.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// The group of the user pool whose members are staff.
pub const STAFF_GROUP: &str = "staff";

/// The caller of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// The caller is not authenticated.
    #[default]
    Anonymous,
    /// A user who signed in.
    User {
        /// The `sub` of the token.
        id: CustomerId,
        /// Whether the user is in the group [`STAFF_GROUP`].
        is_staff: bool,
        /// The scopes of the token.
        scopes: Scopes,
    },
    /// A program that authenticates with client credentials (RFC 6749 §4.4).
    Machine {
        /// The client id.
        id: CustomerId,
        /// The scopes of the token.
        scopes: Scopes,
    },
    /// A function, or another principal that IAM allows to call: the request was signed.
    Service {
        /// The ARN of the role or user that signed the request.
        arn: String,
    },
}

impl Caller {
    /// Converts the claims of a verified access token. Returns `None` for the claims of any other token, such
    /// as an ID token
    /// (<https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>).
    ///
    /// API Gateway passes every claim as text, and a list as `a,b` or `[a b]`; the token itself contains
    /// lists.
    pub fn from_claims(claims: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("token_use")? != "access" {
            return None;
        }
        let id: CustomerId = text("sub")?.parse().ok()?;
        let scopes = Scopes::parse(text("scope").unwrap_or_default());
        // With client credentials there is no user: Cognito sets the subject to the client id.
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

/// The callers that may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, with or without a token.
    Public,
    /// Callers whose token has this scope.
    Scope(Scope),
    /// Callers whose token has this scope, and the health check with [`Scope::HealthCheck`] instead. Only for
    /// routes that check the [`super::CustomerScope`], which limits the health check to one customer.
    ScopeOrHealthCheck(Scope),
    /// Callers whose token has this scope and who send an API key, whose usage plan sets their rate limits.
    Partner(Scope),
    /// The functions of this stack, and other principals that IAM allows to call. The request is signed
    /// (Signature Version 4).
    Service,
}

impl Access {
    /// The scopes of which a token needs at least one; empty if no token is required.
    pub fn scopes(self) -> Vec<Scope> {
        match self {
            Self::Public | Self::Service => Vec::new(),
            Self::Scope(scope) | Self::Partner(scope) => vec![scope],
            Self::ScopeOrHealthCheck(scope) => vec![scope, Scope::HealthCheck],
        }
    }

    /// Checks that a caller who is authorized for the route sent an API key of their own: otherwise the
    /// requests of one partner would use up the limits of another.
    ///
    /// # Errors
    /// A 403 if a partner sent no key, or that of another client.
    pub(super) fn check_api_key(self, caller: &Caller, headers: &HeaderMap) -> Result<(), Problem> {
        match (self, caller) {
            (Self::Partner(_), Caller::User { id, .. } | Caller::Machine { id, .. })
                if has_own_api_key(headers, id) =>
            {
                Ok(())
            }
            (Self::Partner(_), _) => Err(Problem::forbidden(
                "The API key in X-Api-Key is not one of the client to which the access token was issued.",
            )),
            _ => Ok(()),
        }
    }

    /// Checks that `caller` may use the route.
    ///
    /// # Errors
    /// A 401 for an anonymous caller, a 403 for one without the permission.
    pub fn authorize(self, caller: &Caller) -> Result<(), Problem> {
        match (self, caller) {
            (Self::Public, _) | (Self::Service, Caller::Service { .. }) => Ok(()),
            (Self::Service, _) => Err(Problem::forbidden(
                "This operation accepts only signed requests of the shop's own functions.",
            )),
            (_, Caller::Anonymous | Caller::Service { .. }) => Err(Problem::unauthorized()),
            (Self::ScopeOrHealthCheck(_), Caller::Machine { scopes, .. })
                if scopes.contains(Scope::HealthCheck) =>
            {
                Ok(())
            }
            // Regardless of other scopes: a route that does not check the customer scope would be
            // unrestricted.
            (_, Caller::Machine { scopes, .. }) if scopes.contains(Scope::HealthCheck) => {
                Err(Problem::forbidden(
                    "A token with the scope health/check is valid for the health check only: request one without it.",
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
    fn the_claims_of_a_user_are_read_in_both_formats() {
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
    fn client_credentials_are_a_machine() {
        let found =
            caller(json!({"sub": "m", "client_id": "m", "token_use": "access", "scope": "partner/orders"}));
        let scopes = Scopes::from_iter([Scope::PartnerOrders]);
        assert_eq!(found, Some(Caller::Machine { id: "m".parse().unwrap(), scopes }));
    }

    #[test]
    fn only_access_tokens_identify_a_caller() {
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
    fn routes_authorize_their_callers_only() {
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
    fn the_health_check_is_authorized_only_where_it_is_named() {
        let id: CustomerId = "x".parse().unwrap();
        let alone = Scopes::from_iter([Scope::HealthCheck]);
        let status =
            |access: Access, caller: &Caller| access.authorize(caller).err().map(|problem| problem.status());
        for scopes in [alone.clone(), Scopes::from_iter(Scope::ALL.iter().copied())] {
            let machine = Caller::Machine { id: id.clone(), scopes };
            for &scope in Scope::ALL {
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
                "it has no effect in the token of a user"
            );
            let both = Scopes::from_iter([Scope::OrdersRead, Scope::HealthCheck]);
            let user = Caller::User { id: id.clone(), is_staff: staff, scopes: both };
            assert_eq!(status(route, &user), None);
            assert_eq!(status(Access::Scope(Scope::OrdersRead), &user), None);
        }
    }

    #[test]
    fn a_route_lists_the_scopes_that_suffice() {
        use Scope::{HealthCheck, OrdersRead, PartnerOrders};
        assert_eq!(Access::Public.scopes(), []);
        assert_eq!(Access::Service.scopes(), []);
        assert_eq!(Access::Scope(OrdersRead).scopes(), [OrdersRead]);
        assert_eq!(Access::Partner(PartnerOrders).scopes(), [PartnerOrders]);
        assert_eq!(Access::ScopeOrHealthCheck(OrdersRead).scopes(), [OrdersRead, HealthCheck]);
    }
}
