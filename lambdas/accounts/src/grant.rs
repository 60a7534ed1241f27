//! `grant-scopes`: somebody signs in → what their access token is good for, and their profile, if they are new.
//!
//! A token that Cognito gives for a password is good for Cognito alone. This adds the shop's scopes to it, by the groups
//! that the person is in. One that was asked for by a client (OAuth) has the scopes that the client asked for: of those,
//! this takes away what the person may not do.
//!
//! Source: <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html>,
//! trigger version V2_0.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use domain::CustomerId;
use platform::host::trigger::Trigger;
use platform::http::Scope;
use platform::http::access::STAFF_GROUP;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::profile::Profile;
use crate::store::Profiles;

/// The scope of a token that Cognito gave for a password.
const OWN_PASSWORD: &str = "aws.cognito.signin.user.admin";
/// What every customer may do.
const CUSTOMER: [Scope; 4] = [Scope::OrdersRead, Scope::OrdersWrite, Scope::ProfileRead, Scope::ProfileWrite];
/// What staff may do beside that.
const STAFF_ONLY: [Scope; 2] = [Scope::InventoryWrite, Scope::ReportsRead];

/// Says what a token is good for.
pub struct GrantScopes {
    /// The profiles.
    pub profiles: Arc<dyn Profiles>,
}

/// What Cognito tells, as far as we look at it.
#[derive(Deserialize)]
struct SignIn {
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
        let sign_in = SignIn::deserialize(&event).context("the trigger's event is not understood")?;
        self.make_profile(&sign_in.request.user_attributes).await;
        let groups = sign_in.request.group_configuration.unwrap_or_default().groups_to_override;
        let staff = groups.unwrap_or_default().iter().any(|group| group == STAFF_GROUP);
        let (add, suppress) = grant(staff, &sign_in.request.scopes);
        let details =
            json!({ "accessTokenGeneration": { "scopesToAdd": add, "scopesToSuppress": suppress } });
        if let Some(event) = event.as_object_mut() {
            event.insert("response".to_owned(), json!({ "claimsAndScopeOverrideDetails": details }));
        }
        Ok(event)
    }
}

/// The scopes to add to a token that has `scopes`, and those to take away.
fn grant(staff: bool, scopes: &[String]) -> (Vec<&'static str>, Vec<&'static str>) {
    let names = |scopes: &[Scope]| scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>();
    let asked_for = scopes.iter().any(|scope| scope != OWN_PASSWORD);
    let allowed = if staff { [&CUSTOMER[..], &STAFF_ONLY].concat() } else { CUSTOMER.to_vec() };
    let forbidden: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| !allowed.contains(scope)).collect();
    (if asked_for { Vec::new() } else { names(&allowed) }, names(&forbidden))
}

impl GrantScopes {
    /// Makes the profile of somebody who signs in for the first time. Nobody is kept out because it fails: the API makes
    /// one, too.
    async fn make_profile(&self, attributes: &BTreeMap<String, String>) {
        let made = async {
            let id: CustomerId = attributes.get("sub").context("a user without a sub")?.parse()?;
            if self.profiles.get(&id).await?.is_some() {
                return Ok(false);
            }
            // What is no name or address for us is left for the customer to say.
            let name = attributes.get("name").and_then(|name| name.parse().ok());
            let email = attributes.get("email").and_then(|email| email.parse().ok());
            self.profiles.write(&Profile::new(id, name, email)).await
        };
        match made.await {
            Ok(true) => tracing::info!("a profile was made"),
            Ok(false) => {}
            Err(error) => {
                let error: anyhow::Error = error;
                tracing::error!(error = %format!("{error:#}"), "the profile could not be made");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(staff: bool, scopes: &[&str]) -> Vec<String> {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (add, suppress) = grant(staff, &scopes);
        let added = add.into_iter().map(str::to_owned);
        scopes.into_iter().chain(added).filter(|scope| !suppress.contains(&scope.as_str())).collect()
    }

    #[test]
    fn a_password_is_good_for_what_the_person_may_do() {
        let customer = ["orders/read", "orders/write", "profile/read", "profile/write"];
        assert_eq!(granted(false, &[OWN_PASSWORD]), [&[OWN_PASSWORD][..], &customer].concat());
        assert_eq!(
            granted(true, &[OWN_PASSWORD]),
            [&[OWN_PASSWORD][..], &customer, &["inventory/write", "reports/read"]].concat()
        );
        assert_eq!(granted(false, &[]), customer);
    }

    #[test]
    fn a_client_gets_what_it_asked_for_and_the_person_may_do() {
        assert_eq!(granted(false, &["openid", "orders/read"]), ["openid", "orders/read"]);
        assert_eq!(granted(false, &["openid", "inventory/write", "partner/orders"]), ["openid"]);
        assert_eq!(granted(true, &["inventory/write"]), ["inventory/write"]);
    }

    #[test]
    fn nobody_who_signs_in_is_given_what_is_for_programs() {
        for staff in [false, true] {
            for scope in ["health/check", "partner/orders", "partner/webhooks"] {
                assert!(!granted(staff, &[OWN_PASSWORD]).iter().any(|granted| granted == scope), "{scope}");
                assert_eq!(granted(staff, &[OWN_PASSWORD, "openid", scope]), [OWN_PASSWORD, "openid"]);
            }
        }
    }
}
