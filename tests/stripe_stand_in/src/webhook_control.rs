//! The control API for webhooks, under `/_control`.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::control::{App, ErrorResponse, Filter, bad_request};
use crate::delivery::dispatch;
use crate::stand_in::StandIn;
use crate::webhooks::{Delivery, Endpoint, Mode};

/// The response of `GET /_control/webhook_endpoint`. It does not contain the secret.
#[derive(Debug, Serialize)]
struct EndpointView {
    url: Option<String>,
    mode: Option<Mode>,
    deliveries: Vec<Delivery>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMode {
    mode: Mode,
}

pub(crate) fn routes() -> Router<Arc<StandIn>> {
    Router::new()
        .route("/_control/webhook_endpoint", put(set_endpoint).get(show).delete(remove_endpoint))
        .route("/_control/webhook_modes/{order_id}", put(set_mode))
        .route("/_control/webhooks/{event}/resend", post(resend))
}

async fn set_endpoint(
    State(stand_in): App,
    endpoint: Result<Json<Endpoint>, JsonRejection>,
) -> Result<StatusCode, ErrorResponse> {
    let Json(endpoint) = endpoint.map_err(|rejection| bad_request(&rejection.body_text()))?;
    if !endpoint.url.starts_with("http://") {
        return Err(bad_request(
            "url must start with http://: the stand-in sends webhooks only to this machine",
        ));
    }
    if !endpoint.secret.starts_with("whsec_") {
        return Err(bad_request("secret must start with whsec_, as Stripe's do"));
    }
    stand_in.state().account.webhooks.endpoint = Some(endpoint);
    stand_in.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

async fn show(
    State(stand_in): App,
    query: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<EndpointView>, ErrorResponse> {
    let Query(filter) = query.map_err(|rejection| bad_request(&rejection.body_text()))?;
    let state = stand_in.state();
    let webhooks = &state.account.webhooks;
    let deliveries = webhooks.deliveries.values();
    Ok(Json(EndpointView {
        url: webhooks.endpoint.as_ref().map(|endpoint| endpoint.url.clone()),
        mode: webhooks.endpoint.as_ref().map(|endpoint| endpoint.mode),
        deliveries: deliveries
            .filter(|delivery| filter.matches(delivery.order_id.as_ref()))
            .cloned()
            .collect(),
    }))
}

async fn remove_endpoint(State(stand_in): App) -> StatusCode {
    stand_in.state().account.webhooks.endpoint = None;
    stand_in.changed.notify_one();
    StatusCode::NO_CONTENT
}

/// Sets the mode for future events of an order.
async fn set_mode(
    State(stand_in): App,
    Path(order_id): Path<String>,
    mode: Result<Json<NewMode>, JsonRejection>,
) -> Result<StatusCode, ErrorResponse> {
    let Json(NewMode { mode }) = mode.map_err(|rejection| bad_request(&rejection.body_text()))?;
    stand_in.state().account.webhooks.modes.insert(order_id, mode);
    stand_in.changed.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

async fn resend(State(stand_in): App, Path(event): Path<String>) -> Result<StatusCode, ErrorResponse> {
    if !stand_in.state().account.webhooks.resend(&event) {
        let error = format!("there is no event {event}: see GET /_control/webhook_endpoint");
        return Err((StatusCode::NOT_FOUND, Json(json!({ "error": error }))));
    }
    dispatch(&stand_in);
    Ok(StatusCode::ACCEPTED)
}
