//! `accounts-api`: a customer's profile.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use domain::CustomerId;
use platform::http::precondition::with_etag;
use platform::http::{
    Access, Caller, Json, Operation, OperationDescription, Precondition, Problem, Routes, Scope,
};

use crate::profile::Profile;
use crate::request::PutProfile;
use crate::store::Profiles;

/// How often a write is tried again that another one was faster than.
const TRIES: usize = 5;

/// What the routes work on.
pub struct Api {
    /// The profiles.
    pub profiles: Arc<dyn Profiles>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    Routes::default()
        .add(Operation::get("/me", "readProfile", Access::Scope(Scope::ProfileRead), about_read), read)
        .add(Operation::put("/me", "putProfile", Access::Scope(Scope::ProfileWrite), about_put), put)
}

const REVISION: &str = "The profile's revision, for `If-Match`.";
const NOT_A_PERSON: &str = "Only people have profiles: this token is a machine's.";

fn about_read(it: &mut OperationDescription) {
    it.about("Read your profile", "It is there from your first sign-in on.")
        .response::<Profile>(200, "Your profile.")
        .with_header("ETag", REVISION)
        .problem(403, "forbidden", NOT_A_PERSON);
}

fn about_put(it: &mut OperationDescription) {
    it.about("Change your profile", "All of it: what is left out is gone.")
        .header::<String>(
            "If-Match",
            "Only if nobody else changed it: the `ETag` that reading it gave. `*` for any.",
        )
        .header::<String>("If-None-Match", "Means nothing here: a profile is always there.")
        .body::<PutProfile>()
        .response::<Profile>(200, "Your profile, as it is now.")
        .with_header("ETag", REVISION)
        .problem(403, "forbidden", NOT_A_PERSON)
        .problem(412, "precondition-failed", "It changed in between. Read it again.");
}

async fn read(State(api): State<Arc<Api>>, caller: Caller) -> Result<Response, Problem> {
    let profile = api.profile(&person(&caller)?).await?;
    Ok(with_etag(profile.revision, Json(profile)))
}

async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    condition: Precondition,
    body: Json<PutProfile>,
) -> Result<Response, Problem> {
    let id = person(&caller)?;
    body.0.check()?;
    for _ in 0..TRIES {
        let before = api.profile(&id).await?;
        if !condition.is_met_by(Some(before.revision)) {
            return Err(Problem::precondition_failed("Your profile is not as If-Match says. Read it again."));
        }
        let profile = body.0.after(&before);
        if api.profiles.write(&profile).await? {
            return Ok(with_etag(profile.revision, Json(profile)));
        }
    }
    Err(anyhow::anyhow!("the profile of {id} changed {TRIES} times while it was being written").into())
}

fn person(caller: &Caller) -> Result<CustomerId, Problem> {
    match caller {
        Caller::User { id, .. } => Ok(id.clone()),
        Caller::Machine { .. } => Err(Problem::forbidden(NOT_A_PERSON)),
        Caller::Anonymous | Caller::Service { .. } => Err(Problem::unauthorized()),
    }
}

impl Api {
    /// Somebody's profile; an empty one where `grant-scopes` could not write the first.
    async fn profile(&self, id: &CustomerId) -> anyhow::Result<Profile> {
        for _ in 0..TRIES {
            if let Some(profile) = self.profiles.get(id).await? {
                return Ok(profile);
            }
            let first = Profile::new(id.clone(), None, None);
            if self.profiles.write(&first).await? {
                return Ok(first);
            }
        }
        anyhow::bail!("the first profile of {id} met others {TRIES} times")
    }
}
