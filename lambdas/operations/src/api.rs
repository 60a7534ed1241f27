//! `health-api`: serves the latest result of the health check.
//!
//! The status follows the Internet-Draft on health checks (<https://datatracker.ietf.org/doc/draft-inadarei-api-health-check>):
//! 5xx only for a shop that is known to fail. A new stack, whose first check has not finished yet, is not: a 503
//! would raise the alarms of monitors at each first deployment. But if the first check does not come, nobody
//! knows the health of the shop, and that is a failure too.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use platform::Clock;
use platform::http::{Access, Json, Operation, Problem, Routes};

use crate::contract;
use crate::report::MAX_REPORT_AGE;
use crate::store::Reports;
use crate::view::{HealthStatus, HealthView};

/// The caching of responses: the result changes every five minutes, and frequent clients must not cause load.
const CACHE_CONTROL: &str = "public, max-age=30";

/// The caching of a response without a result, which changes at any moment.
const NO_STORE: &str = "no-store";

/// The dependencies of the routes.
pub struct Api {
    /// The stored reports.
    pub reports: Arc<dyn Reports>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

/// Creates the router.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions for the contract.
pub fn routes() -> Routes<Arc<Api>> {
    Routes::default()
        .add(Operation::get("/health", "readHealth", Access::Public, contract::describe_health), health)
}

async fn health(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let now = api.clock.now();
    let Some(report) = api.reports.last().await? else {
        if now.duration_since(api.reports.awaited_since(now).await?) > MAX_REPORT_AGE {
            return Err(Problem::unhealthy("There has been no health check yet."));
        }
        let view = HealthView { status: HealthStatus::Starting, checked_at: None, steps: &[] };
        return Ok(([(header::CACHE_CONTROL, NO_STORE)], Json(view)).into_response());
    };
    let problems = report.problems(now);
    if !problems.is_empty() {
        return Err(Problem::unhealthy(problems.join(" ")));
    }
    let view =
        HealthView { status: HealthStatus::Ok, checked_at: Some(report.checked_at), steps: &report.steps };
    Ok(([(header::CACHE_CONTROL, CACHE_CONTROL)], Json(view)).into_response())
}
