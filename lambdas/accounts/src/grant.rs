//! `grant-scopes`: Cognito trigger before an access token is issued. It sets the scopes of the token, and
//! creates the profile of a new user.
//!
//! A token issued for a password sign-in has only a scope of Cognito: the trigger adds the shop's scopes
//! according to the groups of the user. A token requested by an OAuth client has the scopes that the client
//! requested: the trigger removes those that the user does not have.
//!
//! Source:
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html>,
//! trigger version V2_0.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use domain::CustomerId;
use platform::host::trigger::Trigger;
use platform::http::Scope;
use platform::http::VERIFIED_EMAIL_CLAIM;
use platform::http::access::STAFF_GROUP;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::profile::Profile;
use crate::store::Profiles;

/// The scope that Cognito gives a token issued for a password sign-in.
const PASSWORD_SIGN_IN_SCOPE: &str = "aws.cognito.signin.user.admin";
/// The scopes of every customer.
const CUSTOMER_SCOPES: [Scope; 4] =
    [Scope::OrdersRead, Scope::OrdersWrite, Scope::ProfileRead, Scope::ProfileWrite];
/// The additional scopes of staff.
const STAFF_SCOPES: [Scope; 2] = [Scope::InventoryWrite, Scope::ReportsRead];

/// Sets the scopes of an access token.
pub struct GrantScopes {
    /// The store of profiles.
    pub profiles: Arc<dyn Profiles>,
}

/// The event of the trigger, limited to the fields that are used.
#[derive(Deserialize)]
struct TriggerEvent {
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    user_attributes: BTreeMap<String, String>,
    #[serde(default)]
    group_configuration: Option<Groups>,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    #[serde(default)]
    groups_to_override: Option<Vec<String>>,
}

#[async_trait]
impl Trigger for GrantScopes {
    async fn handle(&self, mut event: Value) -> anyhow::Result<Value> {
        let trigger =
            TriggerEvent::deserialize(&event).context("the event of the trigger could not be parsed")?;
        self.create_profile(&trigger.request.user_attributes).await;
        let groups = trigger.request.group_configuration.unwrap_or_default().groups_to_override;
        let is_staff = groups.unwrap_or_default().iter().any(|group| group == STAFF_GROUP);
        let (add, suppress) = scope_changes(is_staff, &trigger.request.scopes);
        let claims = verified_email_claim(&trigger.request.user_attributes);
        let details = json!({ "accessTokenGeneration": {
            "claimsToAddOrOverride": claims, "scopesToAdd": add, "scopesToSuppress": suppress,
        } });
        if let Some(event) = event.as_object_mut() {
            event.insert("response".to_owned(), json!({ "claimsAndScopeOverrideDetails": details }));
        }
        Ok(event)
    }
}

/// The claim with the email address of the user, if it is verified. `orders-api` sends emails to it and to no other
/// address.
fn verified_email_claim(attributes: &BTreeMap<String, String>) -> BTreeMap<&'static str, &str> {
    let is_verified = attributes.get("email_verified").is_some_and(|verified| verified == "true");
    let email = attributes.get("email").filter(|_| is_verified);
    email.map(|email| (VERIFIED_EMAIL_CLAIM, email.as_str())).into_iter().collect()
}

/// The scopes to add to a token that has `scopes`, and those to suppress.
fn scope_changes(is_staff: bool, scopes: &[String]) -> (Vec<&'static str>, Vec<&'static str>) {
    let names = |scopes: &[Scope]| scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>();
    let is_client_request = scopes.iter().any(|scope| scope != PASSWORD_SIGN_IN_SCOPE);
    let allowed =
        if is_staff { [&CUSTOMER_SCOPES[..], &STAFF_SCOPES].concat() } else { CUSTOMER_SCOPES.to_vec() };
    let forbidden: Vec<Scope> = Scope::ALL.iter().copied().filter(|scope| !allowed.contains(scope)).collect();
    (if is_client_request { Vec::new() } else { names(&allowed) }, names(&forbidden))
}

impl GrantScopes {
    /// Creates the profile of a user who signs in for the first time. A failure does not prevent the sign-in,
    /// because the API creates missing profiles too.
    async fn create_profile(&self, attributes: &BTreeMap<String, String>) {
        let result = async {
            let id: CustomerId = attributes.get("sub").context("the user has no sub")?.parse()?;
            if self.profiles.get(&id).await?.is_some() {
                return Ok(false);
            }
            // An invalid name or address is omitted: the customer can set it later.
            let name = attributes.get("name").and_then(|name| name.parse().ok());
            let email = attributes.get("email").and_then(|email| email.parse().ok());
            self.profiles.write(&Profile::new(id, name, email)).await
        };
        match result.await {
            Ok(true) => tracing::info!("profile created"),
            Ok(false) => {}
            Err(error) => {
                let error: anyhow::Error = error;
                tracing::error!(error = %format!("{error:#}"), "failed to create the profile");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(is_staff: bool, scopes: &[&str]) -> Vec<String> {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (add, suppress) = scope_changes(is_staff, &scopes);
        let added = add.into_iter().map(str::to_owned);
        scopes.into_iter().chain(added).filter(|scope| !suppress.contains(&scope.as_str())).collect()
    }

    #[test]
    fn a_password_sign_in_gets_all_scopes_of_the_user() {
        let customer = ["orders/read", "orders/write", "profile/read", "profile/write"];
        assert_eq!(
            granted(false, &[PASSWORD_SIGN_IN_SCOPE]),
            [&[PASSWORD_SIGN_IN_SCOPE][..], &customer].concat()
        );
        assert_eq!(
            granted(true, &[PASSWORD_SIGN_IN_SCOPE]),
            [&[PASSWORD_SIGN_IN_SCOPE][..], &customer, &["inventory/write", "reports/read"]].concat()
        );
        assert_eq!(granted(false, &[]), customer);
    }

    #[test]
    fn only_a_verified_email_address_is_a_claim() {
        let claim = |attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            json!(verified_email_claim(&attributes.collect()))
        };
        let email = ("email", "ada@example.com");
        assert_eq!(
            claim(&[email, ("email_verified", "true")]),
            json!({ "verified_email": "ada@example.com" })
        );
        for attributes in [&[email][..], &[email, ("email_verified", "false")], &[("email_verified", "true")]]
        {
            assert_eq!(claim(attributes), json!({}), "{attributes:?}");
        }
    }

    #[test]
    fn a_client_gets_the_requested_scopes_that_the_user_has() {
        assert_eq!(granted(false, &["openid", "orders/read"]), ["openid", "orders/read"]);
        assert_eq!(granted(false, &["openid", "inventory/write", "partner/orders"]), ["openid"]);
        assert_eq!(granted(true, &["inventory/write"]), ["inventory/write"]);
    }

    #[test]
    fn users_never_get_the_scopes_of_machines() {
        for is_staff in [false, true] {
            for scope in ["health/check", "partner/orders", "partner/webhooks"] {
                assert!(
                    !granted(is_staff, &[PASSWORD_SIGN_IN_SCOPE]).iter().any(|granted| granted == scope),
                    "{scope}"
                );
                assert_eq!(
                    granted(is_staff, &[PASSWORD_SIGN_IN_SCOPE, "openid", scope]),
                    [PASSWORD_SIGN_IN_SCOPE, "openid"]
                );
            }
        }
    }
}
