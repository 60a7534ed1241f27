//! `orders-api`: places, gets, lists and cancels orders.
//!
//! The routes exist twice: under `/orders` for customers, staff and the shop's own machines, and under
//! `/partner/orders` for partners, whose customers are separate from all others ([`CustomerScope`]).
//! `check-health` may call the routes that it needs, on behalf of the synthetic customer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::order::{Order, OrderStatus, Outcome};
use domain::{OrderId, SYNTHETIC_CUSTOMER_ID, VoidReason};
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::http::input::{PageInput, encode_cursor};
use platform::http::{
    Access, Caller, CustomerScope, FieldError, IdempotencyKey, Json, Operation, Problem, RequestCause,
    Routes, Scope, VerifiedEmail, parse_path_parameter,
};
use platform::metrics::TARGET;
use platform::optimistic::Attempts;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::contract;
use crate::quota::OrderLimit;
use crate::recipient::Recipient;
use crate::request::PlaceOrder;
use crate::store::{IdempotencyRecord, Orders, Placed, Stored};
use crate::view::{ListView, OrderView};

/// How long an idempotency key is stored: no client retries for longer than a week.
const IDEMPOTENCY_KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The dependencies of the routes.
pub struct Api {
    /// The store of orders.
    pub orders: Arc<dyn Orders>,
    /// The limit on the orders of a customer who orders for themselves.
    pub limit: OrderLimit,
    /// Supplies the time and new ids.
    pub clock: Arc<dyn Clock>,
}

/// Builds the router of the API.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, with their descriptions for the OpenAPI document.
pub fn routes() -> Routes<Arc<Api>> {
    let read = Access::ScopeOrHealthCheck(Scope::OrdersRead);
    let place_access = Access::ScopeOrHealthCheck(Scope::OrdersWrite);
    let write = Access::Scope(Scope::OrdersWrite);
    let partner = Access::Partner(Scope::PartnerOrders);
    Routes::default()
        .add(Operation::post("/orders", "placeOrder", place_access, contract::describe_place_own), place)
        .add(Operation::get("/orders", "listOrders", read, contract::describe_list), list)
        .add(Operation::get("/orders/{order_id}", "readOrder", read, contract::describe_get), get_order)
        .add(
            Operation::post("/orders/{order_id}/cancel", "cancelOrder", write, contract::describe_cancel),
            cancel,
        )
        .add(
            Operation::post("/partner/orders", "placePartnerOrder", partner, contract::describe_place),
            place,
        )
        .add(Operation::get("/partner/orders", "listPartnerOrders", partner, contract::describe_list), list)
        .add(
            Operation::get("/partner/orders/{order_id}", "readPartnerOrder", partner, contract::describe_get),
            get_order,
        )
        .add(
            Operation::post(
                "/partner/orders/{order_id}/cancel",
                "cancelPartnerOrder",
                partner,
                contract::describe_cancel,
            ),
            cancel,
        )
}

async fn place(
    State(api): State<Arc<Api>>,
    RequestCause(cause): RequestCause,
    caller: Caller,
    verified_email: VerifiedEmail,
    headers: HeaderMap,
    body: Result<Json<PlaceOrder>, Problem>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let now = api.clock.now();
    let details = body.and_then(|body| {
        let recipient = Recipient::of_caller(&caller, verified_email)?;
        body.0.into_details(&scope, recipient, now)
    });
    let (key, details) = IdempotencyKey::from_headers_and_body(&headers, "order", details)?;
    let fingerprint = fingerprint(&details)?;
    // Different clients may use the same key, so it is scoped to the caller.
    let key = hash(&[scope.caller_id(), key.as_str()]);
    // Staff are trusted, the gateway limits partners, and the health check places an order every few minutes.
    let quota = match &caller {
        Caller::User { id, is_staff: false, .. } => Some(api.limit.quota(id.clone(), now)),
        _ => None,
    };
    let location = if scope.is_partner() { "/v1/partner/orders" } else { "/v1/orders" };
    let (order, event) = Order::place(OrderId::from(api.clock.new_id()), details, cause);
    tracing::Span::current().record("order_id", order.id.to_string());
    let response_body =
        serde_json::to_string(&OrderView::from_order(&order, &scope)).map_err(anyhow::Error::from)?;
    let expires_at = now.saturating_add(IDEMPOTENCY_KEY_LIFETIME).unwrap_or(Timestamp::MAX).as_second();
    let record = IdempotencyRecord { key, fingerprint, order_id: order.id, response_body, expires_at };
    let placed = api.orders.place(&order, &event, &record, quota.as_ref(), now).await?;
    let record = match placed {
        Placed::Created => {
            log_placed(&order);
            record
        }
        Placed::LimitReached => {
            return Err(quota.map_or_else(Problem::unavailable, |quota| quota.problem(now)));
        }
        Placed::Replayed(existing) if existing.fingerprint == record.fingerprint => existing,
        Placed::Replayed(_) => return Err(Problem::idempotency_key_reused()),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::LOCATION, format!("{location}/{}", record.order_id)),
    ];
    Ok((StatusCode::CREATED, headers, record.response_body).into_response())
}

/// Counts a new order, unless it is one of the health check.
fn log_placed(order: &Order) {
    if order.details.customer.id.as_str() != SYNTHETIC_CUSTOMER_ID {
        tracing::info!(target: TARGET, Orders = 1, outcome = OrderStatus::Placed.name(), "order placed");
    }
}

/// Hashes the whole request, to distinguish a retry from a different request: all details of the order but the
/// time, which is ours. A field that is added to the details is part of it.
fn fingerprint(details: &domain::OrderDetails) -> Result<String, Problem> {
    let mut content = serde_json::to_value(details).map_err(anyhow::Error::from)?;
    content.as_object_mut().and_then(|fields| fields.remove("placed_at"));
    Ok(hash(&[&content.to_string()]))
}

/// Hashes the parts with SHA-256. Each is prefixed with its length, so that the concatenation is unambiguous.
fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize())
}

async fn get_order(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(order_id): Path<String>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let stored = api.find(&scope, parse_order_id(&order_id)?).await?;
    Ok(Json(OrderView::from_order(&stored.value, &scope)).into_response())
}

fn parse_order_id(text: &str) -> Result<OrderId, Problem> {
    let id = parse_path_parameter("order_id", text)?;
    tracing::Span::current().record("order_id", text);
    Ok(id)
}

impl Api {
    /// Gets an order that the caller may access. Any other order is reported as not found, so that callers
    /// cannot discover which ids exist.
    async fn find(&self, scope: &CustomerScope, id: OrderId) -> Result<Stored, Problem> {
        let found = self.orders.get(id).await?;
        found
            .filter(|stored| scope.includes(&stored.value.details.customer.id))
            .ok_or_else(|| Problem::not_found(format!("There is no order {id}.")))
    }
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    customer_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let customer = scope
        .resolve_customer(query.customer_id.as_deref())
        .map_err(|reason| FieldError::parameter("customer_id", reason));
    let page = PageInput::parse(query.limit.as_deref(), query.cursor.as_deref());
    let (customer, page) = match (customer, page) {
        (Ok(customer), Ok(page)) => (customer, page),
        (customer, page) => {
            return Err(Problem::invalid(
                customer.err().into_iter().chain(page.err().unwrap_or_default()).collect(),
            ));
        }
    };
    let page = api.orders.list(&customer, page.after, page.limit).await?;
    let orders = page.orders.iter().map(|order| OrderView::from_order(order, &scope)).collect();
    Ok(Json(ListView { orders, next_cursor: page.next.as_ref().map(encode_cursor) }).into_response())
}

async fn cancel(
    State(api): State<Arc<Api>>,
    RequestCause(cause): RequestCause,
    caller: Caller,
    Path(order_id): Path<String>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let id = parse_order_id(&order_id)?;
    let mut attempts = Attempts::at(format!("order {id}"), api.clock.as_ref());
    loop {
        attempts.start().await?;
        let stored = api.find(&scope, id).await?;
        let cancelling =
            stored.value.request_cancellation(VoidReason::CustomerRequest, api.clock.now(), cause.clone());
        let Some((order, event)) = cancelling else {
            return match stored.value.outcome {
                // Cancellation was requested before, or the order has been voided: nothing is left to do.
                None | Some(Outcome::Voided(_)) => {
                    Ok(Json(OrderView::from_order(&stored.value, &scope)).with_status(StatusCode::ACCEPTED))
                }
                Some(Outcome::Paid | Outcome::Rejected | Outcome::PaymentFailed) => Err(Problem::conflict(
                    "order-final",
                    "The order can no longer be cancelled",
                    "The order is final. A paid order can be refunded; any other was not charged.",
                )),
            };
        };
        if api.orders.replace(&stored, &order, Some(&event)).await? {
            return Ok(Json(OrderView::from_order(&order, &scope)).with_status(StatusCode::ACCEPTED));
        }
    }
}
