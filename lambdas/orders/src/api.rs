//! `orders-api`: place, read, list and cancel orders.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::order::{Order, OrderStatus, Outcome};
use domain::payment::VoidReason;
use domain::{Customer, CustomerId, Lines, Money, OrderId, PaymentMethodId};
use http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::http::input::{PageInput, cursor};
use platform::http::{Caused, FieldError, Json, Problem, path_parameter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request::PlaceOrder;
use crate::store::{Orders, Placed, Placement};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// As long as Stripe takes them to be (<https://docs.stripe.com/api/idempotent_requests>).
const LONGEST_KEY: usize = 255;
/// How long a key is remembered. A client that has not given up after a week has given up.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often a write is tried again that somebody else was faster with.
const TRIES: usize = 5;

/// What the routes work on.
pub struct Api {
    /// The orders.
    pub orders: Arc<dyn Orders>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/orders", post(place).get(list))
        .route("/orders/{order_id}", get(read))
        .route("/orders/{order_id}/cancel", post(cancel))
        .with_state(Arc::new(api))
}

/// An order, as clients see it.
#[derive(Debug, Serialize)]
struct OrderView<'a> {
    id: OrderId,
    status: OrderStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<VoidReason>,
    customer: &'a Customer,
    lines: &'a Lines,
    total: Money,
    payment_method: &'a PaymentMethodId,
    placed_at: Timestamp,
}

impl<'a> From<&'a Order> for OrderView<'a> {
    fn from(order: &'a Order) -> Self {
        let details = &order.details;
        Self {
            id: order.id,
            status: order.status(),
            cancellation: order.cancellation,
            customer: &details.customer,
            lines: &details.lines,
            total: details.total,
            payment_method: &details.payment_method,
            placed_at: details.placed_at,
        }
    }
}

async fn place(
    State(api): State<Arc<Api>>,
    Caused(cause): Caused,
    headers: HeaderMap,
    body: Result<Json<PlaceOrder>, Problem>,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    // Both are looked at before either is answered, so that a client learns of all that is wrong at once.
    let details = body.and_then(|body| body.0.into_details(now));
    let (key, details) = match (idempotency_key(&headers), details) {
        (Ok(key), Ok(details)) => (key, details),
        (Err(error), Err(problem)) if !problem.errors().is_empty() => {
            return Err(Problem::invalid([vec![error], problem.errors().to_vec()].concat()));
        }
        (_, Err(problem)) => return Err(problem),
        (Err(error), Ok(_)) => return Err(Problem::invalid(vec![error])),
    };
    let fingerprint = fingerprint(&details)?;
    let key = hash(&[key]);
    let (order, event) = Order::place(OrderId::from(api.clock.fresh_id()), details, cause);
    tracing::Span::current().record("order_id", order.id.to_string());
    let answer = serde_json::to_string(&OrderView::from(&order)).map_err(anyhow::Error::from)?;
    let expires_at = now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX).as_second();
    let placement = Placement { key, fingerprint, order_id: order.id, answer, expires_at };
    let placement = match api.orders.place(&order, &event, &placement, now).await? {
        Placed::Now => placement,
        Placed::Before(before) if before.fingerprint == placement.fingerprint => before,
        Placed::Before(_) => return Err(Problem::key_reused()),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::LOCATION, format!("/v1/orders/{}", placement.order_id)),
    ];
    Ok((StatusCode::CREATED, headers, placement.answer).into_response())
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, FieldError> {
    let key = headers.get(&IDEMPOTENCY_KEY).ok_or_else(|| {
        let why = "is missing: send a new key, such as a UUID, with each new order, and the same again when you try again";
        FieldError::header("Idempotency-Key", why)
    })?;
    key.to_str()
        .ok()
        .filter(|key| {
            (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
        })
        .ok_or_else(|| {
            let why = format!("must have 1 to {LONGEST_KEY} printable ASCII characters without spaces");
            FieldError::header("Idempotency-Key", why)
        })
}

/// What tells one request from another: all that the client decides.
fn fingerprint(details: &domain::OrderDetails) -> Result<String, Problem> {
    let decided = (&details.customer, &details.lines, &details.payment_method);
    let text = serde_json::to_string(&decided).map_err(anyhow::Error::from)?;
    Ok(hash(&[&text]))
}

/// SHA-256 over the parts, each with its length in front so that they cannot run into each other.
fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    BASE64_URL_SAFE_NO_PAD.encode(hasher.finalize())
}

async fn read(State(api): State<Arc<Api>>, Path(order_id): Path<String>) -> Result<Response, Problem> {
    let id = order_id_of(&order_id)?;
    let stored = api.orders.get(id).await?.ok_or_else(|| no_order(id))?;
    Ok(Json(OrderView::from(&stored.order)).into_response())
}

fn order_id_of(text: &str) -> Result<OrderId, Problem> {
    let id = path_parameter("order_id", text)?;
    tracing::Span::current().record("order_id", text);
    Ok(id)
}

fn no_order(id: OrderId) -> Problem {
    Problem::not_found(format!("There is no order {id}."))
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    customer_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct ListView<'a> {
    orders: Vec<OrderView<'a>>,
    next_cursor: Option<String>,
}

async fn list(State(api): State<Arc<Api>>, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    let customer = query.customer_id.as_deref().unwrap_or_default().parse::<CustomerId>();
    let page = PageInput::read(query.limit.as_deref(), query.cursor.as_deref());
    let (customer, page) = match (customer, page) {
        (Ok(customer), Ok(page)) => (customer, page),
        (customer, page) => {
            let customer = customer.err().map(|error| FieldError::parameter("customer_id", error));
            return Err(Problem::invalid(
                customer.into_iter().chain(page.err().unwrap_or_default()).collect(),
            ));
        }
    };
    let page = api.orders.list(&customer, page.after, page.limit).await?;
    let orders = page.orders.iter().map(OrderView::from).collect();
    Ok(Json(ListView { orders, next_cursor: page.next.as_ref().map(cursor) }).into_response())
}

async fn cancel(
    State(api): State<Arc<Api>>,
    Caused(cause): Caused,
    Path(order_id): Path<String>,
) -> Result<Response, Problem> {
    let id = order_id_of(&order_id)?;
    for _ in 0..TRIES {
        let stored = api.orders.get(id).await?.ok_or_else(|| no_order(id))?;
        let wish =
            stored.order.request_cancellation(VoidReason::CustomerRequest, api.clock.now(), cause.clone());
        let Some((order, event)) = wish else {
            return match stored.order.outcome {
                // Asked for before, or given up already: it is as the client wants it.
                None | Some(Outcome::Voided(_)) => {
                    Ok(Json(OrderView::from(&stored.order)).with(StatusCode::ACCEPTED))
                }
                Some(Outcome::Paid | Outcome::Rejected | Outcome::PaymentFailed) => Err(Problem::conflict(
                    "order-final",
                    "The order can no longer be cancelled",
                    "The order has ended. A paid order can be refunded; for any other there is nothing to give back.",
                )),
            };
        };
        if api.orders.replace(&stored, &order, Some(&event)).await? {
            return Ok(Json(OrderView::from(&order)).with(StatusCode::ACCEPTED));
        }
    }
    Err(anyhow::anyhow!("order {id} changed {TRIES} times while it was being cancelled").into())
}
