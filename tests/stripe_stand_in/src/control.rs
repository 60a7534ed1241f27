//! The control API under `/_control`. It needs no API key.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::Charge;
use crate::delivery::dispatch;
use crate::faults::{Fault, NewFault};
use crate::intents::Status;
use crate::stand_in::{LoggedRequest, StandIn, State as ServerState, now};
use crate::transitions;

pub(crate) type App = State<Arc<StandIn>>;
/// An error response: the status and `{"error": "how to fix it"}`.
pub(crate) type ErrorResponse = (StatusCode, Json<Value>);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    order_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgetQuery {
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: Status,
}

pub(crate) fn routes() -> Router<Arc<StandIn>> {
    Router::new()
        .route("/_control/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/_control/faults", post(add_fault).get(list_faults).delete(clear_faults))
        .route("/_control/faults/{id}", delete(clear_fault))
        .route("/_control/forget_keys", post(forget_keys))
        .route("/_control/charges", get(list_charges))
        .route("/_control/payment_intents/{id}/status", put(set_status))
        .route("/_control/requests", get(list_requests))
        .route("/_control/state", delete(reset))
}

async fn add_fault(
    State(stand_in): App,
    fault: Result<Json<NewFault>, JsonRejection>,
) -> Result<(StatusCode, Json<Fault>), ErrorResponse> {
    let Json(fault) = fault.map_err(|rejection| bad_request(&rejection.body_text()))?;
    let added = stand_in.state().faults.add(fault).map_err(bad_request)?;
    Ok((StatusCode::CREATED, Json(added)))
}

async fn list_faults(State(stand_in): App) -> Json<Vec<Fault>> {
    Json(stand_in.state().faults.all().to_vec())
}

async fn clear_faults(State(stand_in): App) -> Json<Value> {
    Json(json!({ "cleared": stand_in.state().faults.clear(None) }))
}

async fn clear_fault(State(stand_in): App, Path(id): Path<u64>) -> Result<Json<Value>, ErrorResponse> {
    match stand_in.state().faults.clear(Some(id)) {
        0 => {
            let error = format!("there is no fault {id}: see GET /_control/faults");
            Err((StatusCode::NOT_FOUND, Json(json!({ "error": error }))))
        }
        cleared => Ok(Json(json!({ "cleared": cleared }))),
    }
}

/// Deletes an idempotency key, or all of them if the query names none.
async fn forget_keys(
    State(stand_in): App,
    query: Result<Query<ForgetQuery>, QueryRejection>,
) -> Result<Json<Value>, ErrorResponse> {
    let Query(forget) = query.map_err(|rejection| bad_request(&rejection.body_text()))?;
    let forgotten = stand_in.state().account.keys.forget(forget.key.as_deref());
    stand_in.changed.notify_one();
    Ok(Json(json!({ "forgotten": forgotten })))
}

/// Sets the status of a PaymentIntent.
async fn set_status(
    State(stand_in): App,
    Path(id): Path<String>,
    status: Result<Json<NewStatus>, JsonRejection>,
) -> Result<StatusCode, ErrorResponse> {
    let Json(NewStatus { status }) = status.map_err(|rejection| bad_request(&rejection.body_text()))?;
    transitions::set_status(&mut stand_in.state().account, &id, status, now())
        .map_err(|error| (StatusCode::CONFLICT, Json(json!({ "error": error }))))?;
    dispatch(&stand_in);
    stand_in.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

async fn list_charges(
    State(stand_in): App,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Vec<Charge>>, ErrorResponse> {
    let Query(filter) = query.map_err(|rejection| bad_request(&rejection.body_text()))?;
    let state = stand_in.state();
    let charges = state.account.charges.values().filter(|charge| filter.matches(charge.order_id.as_ref()));
    Ok(Json(charges.cloned().collect()))
}

async fn list_requests(
    State(stand_in): App,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Vec<LoggedRequest>>, ErrorResponse> {
    let Query(filter) = query.map_err(|rejection| bad_request(&rejection.body_text()))?;
    let state = stand_in.state();
    let requests = state.log.iter().filter(|request| filter.matches(request.order_id.as_ref()));
    Ok(Json(requests.cloned().collect()))
}

async fn reset(State(stand_in): App) -> StatusCode {
    *stand_in.state() = ServerState::default();
    stand_in.changed.notify_one();
    StatusCode::NO_CONTENT
}

impl Filter {
    pub(crate) fn matches(&self, order_id: Option<&String>) -> bool {
        self.order_id.as_ref().is_none_or(|wanted| order_id == Some(wanted))
    }
}

pub(crate) fn bad_request(error: &str) -> ErrorResponse {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error })))
}
