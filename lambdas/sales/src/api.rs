//! `exports-api`: the API for exports and reports.

use axum::Router;
use platform::http::Operation;

use crate::{export, report};

/// Creates the router.
pub fn router(exports: export::api::Api, reports: report::api::Api) -> Router {
    export::api::router(exports).merge(report::api::router(reports))
}

/// Returns the operations, for the contract.
pub fn operations() -> Vec<Operation> {
    [export::api::routes().operations(), report::api::routes().operations()].concat()
}
