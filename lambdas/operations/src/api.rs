//! `health-api`: serves the latest result of the health check.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use jiff::Timestamp;
use platform::Clock;
use platform::http::{Access, Json, Operation, OperationDescription, Problem, Routes};
use schemars::JsonSchema;
use serde::Serialize;

use crate::report::StepReport;
use crate::store::Reports;

/// The caching of responses: the result changes every five minutes, and frequent clients must not cause load.
const CACHE_CONTROL: &str = "public, max-age=30";

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
    Routes::default().add(Operation::get("/health", "readHealth", Access::Public, describe_health), health)
}

fn describe_health(operation: &mut OperationDescription) {
    operation.about(
        "Get the health of the shop",
        "Every five minutes, a synthetic customer signs in, reads a product, and places an order that is never \
         charged. This operation returns the latest result.",
    )
    .response::<HealthView>(200, "All steps succeeded.")
    .with_header("Cache-Control", "How long the response may be cached.")
    .problem(503, "unhealthy", "A step failed, or there was no health check for 15 minutes: see `detail`.");
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
struct HealthView<'a> {
    /// Always `ok`: a failed health check is returned as a problem.
    status: &'static str,
    /// The time of the health check (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    checked_at: Timestamp,
    /// The result of each step.
    steps: &'a [StepReport],
}

async fn health(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let Some(report) = api.reports.last().await? else {
        return Err(Problem::unhealthy("There has been no health check yet."));
    };
    let problems = report.problems(api.clock.now());
    if !problems.is_empty() {
        return Err(Problem::unhealthy(problems.join(" ")));
    }
    let view = HealthView { status: "ok", checked_at: report.checked_at, steps: &report.steps };
    Ok(([(header::CACHE_CONTROL, CACHE_CONTROL)], Json(view)).into_response())
}
