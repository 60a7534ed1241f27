//! The account service: `accounts-api`, `grant-scopes`, and customers who sign in and change their profiles.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use accounts::adapters::memory::InMemoryProfiles;
use accounts::api::{Api, router};
use accounts::grant::GrantScopes;
use accounts::profile::Profile;
use accounts::store::Profiles;
use async_trait::async_trait;
use domain::CustomerId;
use http::{Method, StatusCode};
use platform::http::Scope;
use platform::{Clock, lock};
use serde_json::{Value, json};

use super::client::{ApiRequest, user};
use super::handler::Handler;
use super::{Assemble, Service};
use crate::mutation::Mutation;
use crate::ports::{Ports, now};
use crate::world::World;

/// The part of the world.
#[derive(Default)]
pub struct State {
    /// The profiles of all customers, by their ids.
    pub profiles: InMemoryProfiles,
    /// Every revision of each profile that was stored.
    history: Mutex<BTreeMap<(CustomerId, u64), Profile>>,
    /// The profiles that customers got as the result of an update.
    updated: Mutex<Vec<Profile>>,
}

impl State {
    /// The number of updates whose result a customer got.
    pub fn updates(&self) -> usize {
        lock(&self.updated).len()
    }
}

/// The account service.
pub struct Accounts;

impl Service for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("accounts-api", accounts_api), ("grant-scopes", grant_scopes)]
    }

    fn start(&self, world: &Arc<World>) {
        let has_faults = world.sim.rates().is_some();
        // Two devices of one customer, and another customer.
        for (number, customer) in ["u-1", "u-1", "u-2"].into_iter().enumerate() {
            let ports = Ports::of_client(world, "customer");
            let (wait, updates) = if has_faults {
                world.sim.random(|rng| (rng.u64(0..3_000), rng.usize(0..=3)))
            } else {
                (0, 1)
            };
            world.sim.scheduler.spawn(async move {
                ports.caller.sleep(Duration::from_millis(wait)).await;
                sign_in(&ports, customer).await;
                for update in 0..updates {
                    update_profile(&ports, customer, &format!("{number}.{update}")).await;
                }
            });
        }
    }

    /// The history of each profile has no gaps, its end is what is stored, and what a customer was told is in it.
    fn check(&self, world: &World) -> Vec<String> {
        let history = lock(&world.parts.accounts.history).clone();
        let mut violations = Vec::new();
        for profile in lock(&world.parts.accounts.updated).iter() {
            if history.get(&(profile.id.clone(), profile.revision)) != Some(profile) {
                violations
                    .push(format!("an update of {} to revision {} is lost", profile.id, profile.revision));
            }
        }
        for (id, revision) in history.keys() {
            if *revision > 1 && !history.contains_key(&(id.clone(), revision.saturating_sub(1))) {
                violations.push(format!("the profile of {id} has no revision before {revision}"));
            }
            let last =
                history.range(..=(id.clone(), u64::MAX)).next_back().map(|(_, profile)| profile.clone());
            if now(Profiles::get(&world.parts.accounts.profiles, id)).ok() != Some(last) {
                violations.push(format!("the profile of {id} is not its last revision"));
            }
        }
        violations
    }

    fn final_state(&self, world: &World) -> String {
        format!("{:?}", lock(&world.parts.accounts.history))
    }
}

fn accounts_api(ports: &Ports) -> Handler {
    let api = Api { profiles: Arc::new(ports.clone()), clock: Arc::new(ports.caller.clone()) };
    Handler::api(ports, router(api))
}

fn grant_scopes(ports: &Ports) -> Handler {
    Handler::Trigger(Box::new(GrantScopes { profiles: Arc::new(ports.clone()) }))
}

/// Signs in: Cognito invokes the trigger, and denies the token unless it gets a result.
async fn sign_in(ports: &Ports, customer: &str) {
    let event = json!({ "request": {
        "userAttributes": {
            "sub": customer, "name": "Ada", "email": format!("{customer}@example.com"), "email_verified": "true",
        },
        "scopes": ["aws.cognito.signin.user.admin"],
    } });
    let Some(result) = ports.trigger("grant-scopes", event).await else { return };
    let granted = &result["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"];
    let expected = json!(["orders/read", "orders/write", "profile/read", "profile/write"]);
    let email = &granted["claimsToAddOrOverride"]["verified_email"];
    if granted["scopesToAdd"] != expected || *email != format!("{customer}@example.com") {
        ports.world.report_violation(format!("{customer} was granted {granted}"));
    }
}

/// Adds an address to the profile, on condition that it has not changed since it was read.
async fn update_profile(ports: &Ports, customer: &str, street: &str) {
    let request = |method, header, body| ApiRequest {
        function: "accounts-api",
        caller: user(customer, false, &[Scope::ProfileRead, Scope::ProfileWrite]),
        method,
        path: "/me",
        header,
        body,
    };
    let Some((status, read)) = request(Method::GET, None, Value::Null).send(ports).await else { return };
    if status != StatusCode::OK {
        return ports.world.report_violation(format!("GET /me returned {status}: {read}"));
    }
    let mut addresses = read["addresses"].as_array().cloned().unwrap_or_default();
    addresses.push(json!({ "recipient": "Ada", "street": street, "city": "London", "country": "GB" }));
    let body = json!({ "name": "Ada", "email": format!("{customer}@example.com"), "addresses": addresses });
    let tag = format!("\"{}\"", read["revision"]);
    let update = request(Method::PUT, Some(("if-match", &tag)), body);
    let Some((status, updated)) = update.send(ports).await else { return };
    match (status, serde_json::from_value::<Profile>(updated.clone())) {
        (StatusCode::OK, Ok(profile)) => {
            if profile.addresses.len() != addresses.len()
                || read["revision"] != profile.revision.saturating_sub(1)
            {
                ports.world.report_violation(format!("PUT /me with {tag} returned {updated}"));
            }
            lock(&ports.world.parts.accounts.updated).push(profile);
        }
        // Another device was first, or the response to an earlier attempt was lost.
        (StatusCode::PRECONDITION_FAILED, _) => {}
        _ => ports.world.report_violation(format!("PUT /me returned {status}: {updated}")),
    }
}

#[async_trait]
impl Profiles for Ports {
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>> {
        let customer = customer.clone();
        self.read("profiles.get", move |world| now(Profiles::get(&world.parts.accounts.profiles, &customer)))
            .await
    }

    async fn write(&self, profile: &Profile) -> anyhow::Result<bool> {
        let profile = profile.clone();
        self.read("profiles.write", move |world| {
            let profiles = &world.parts.accounts.profiles;
            if world.has_mutation(Mutation::UnconditionalProfileWrite) {
                profiles.set_revision(&profile.id, profile.revision.saturating_sub(1));
            }
            let is_written = now(Profiles::write(profiles, &profile))?;
            if is_written {
                let key = (profile.id.clone(), profile.revision);
                let other = lock(&world.parts.accounts.history).insert(key, profile.clone());
                if other.is_some() {
                    world.report_violation(format!(
                        "revision {} of the profile of {} was overwritten",
                        profile.revision, profile.id
                    ));
                }
            }
            Ok(is_written)
        })
        .await
    }
}
