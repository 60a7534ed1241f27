//! `accounts-api`: the profile of the caller.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use domain::CustomerId;
use platform::Clock;
use platform::http::precondition::with_etag;
use platform::http::{Access, Caller, Json, Operation, Precondition, Problem, Routes, Scope};
use platform::optimistic::Attempts;

use crate::contract;
use crate::profile::Profile;
use crate::request::PutProfile;
use crate::store::Profiles;

/// The dependencies of the routes.
pub struct Api {
    /// The store of profiles.
    pub profiles: Arc<dyn Profiles>,
    /// The source of time and random numbers.
    pub clock: Arc<dyn Clock>,
}

/// Builds the router of the API.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, with their descriptions for the OpenAPI document.
pub fn routes() -> Routes<Arc<Api>> {
    Routes::default()
        .add(
            Operation::get("/me", "readProfile", Access::Scope(Scope::ProfileRead), contract::describe_get),
            read,
        )
        .add(
            Operation::put("/me", "putProfile", Access::Scope(Scope::ProfileWrite), contract::describe_put),
            put,
        )
}

async fn read(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, Problem> {
    let profile = api.get_or_create_profile(&require_user(&caller)?).await?;
    Ok(with_etag(profile.revision, Json(profile)))
}

async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    condition: Precondition,
    body: Json<PutProfile>,
) -> Result<Response, Problem> {
    let id = require_user(&caller)?;
    body.0.validate()?;
    let mut attempts = Attempts::at(format!("the profile of {id}"), api.clock.as_ref());
    loop {
        attempts.start().await?;
        let current = api.get_or_create_profile(&id).await?;
        if !condition.is_met_by(Some(current.revision)) {
            return Err(Problem::precondition_failed(
                "Your profile does not meet If-Match or If-None-Match. Get it again.",
            ));
        }
        let profile = body.0.apply_to(&current);
        if api.profiles.write(&profile).await? {
            return Ok(with_etag(profile.revision, Json(profile)));
        }
    }
}

fn require_user(caller: &Caller) -> Result<CustomerId, Problem> {
    match caller {
        Caller::User { id, .. } => Ok(id.clone()),
        Caller::Machine { .. } => Err(Problem::forbidden(contract::NOT_A_USER)),
        Caller::Anonymous | Caller::Service { .. } => Err(Problem::unauthorized()),
    }
}

impl Api {
    /// Gets the profile of a user. Creates an empty one if `grant-scopes` failed to do so.
    async fn get_or_create_profile(&self, id: &CustomerId) -> anyhow::Result<Profile> {
        let mut attempts = Attempts::at(format!("the profile of {id}"), self.clock.as_ref());
        loop {
            attempts.start().await?;
            if let Some(profile) = self.profiles.get(id).await? {
                return Ok(profile);
            }
            let first = Profile::new(id.clone(), None, None);
            if self.profiles.write(&first).await? {
                return Ok(first);
            }
        }
    }
}
