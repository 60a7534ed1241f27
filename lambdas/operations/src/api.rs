//! `health-api`: what was found last.

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

/// How long an answer may be kept: it changes every five minutes, and whoever asks often should cost little.
const FRESH: &str = "public, max-age=30";

/// What the routes work on.
pub struct Api {
    /// What was found.
    pub reports: Arc<dyn Reports>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    Routes::default().add(Operation::get("/health", "readHealth", Access::Public, about_health), health)
}

fn about_health(it: &mut OperationDescription) {
    it.about(
        "Ask whether the shop is well",
        "Every five minutes, a synthetic customer signs in, reads a product, and places an order that nobody is charged \
         for. This tells how that went last.",
    )
    .response::<HealthView>(200, "All of it works.")
    .with_header("Cache-Control", "How long it is fresh.")
    .problem(503, "unhealthy", "Something does not work, or nobody has looked for a quarter of an hour: see `detail`.");
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
struct HealthView<'a> {
    /// Always `ok`: what is not is a problem.
    status: &'static str,
    /// When it was looked at.
    #[schemars(with = "String", extend("format" = "date-time"))]
    checked_at: Timestamp,
    /// How it went, step by step.
    steps: &'a [StepReport],
}

async fn health(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let Some(report) = api.reports.last().await? else {
        return Err(Problem::unhealthy("Nobody has looked yet."));
    };
    let problems = report.problems(api.clock.now());
    if !problems.is_empty() {
        return Err(Problem::unhealthy(problems.join(" ")));
    }
    let view = HealthView { status: "ok", checked_at: report.checked_at, steps: &report.steps };
    Ok(([(header::CACHE_CONTROL, FRESH)], Json(view)).into_response())
}
