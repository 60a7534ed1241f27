//! `orders-api`: place, read, list and cancel orders.
//!
//! The same routes are there twice: at `/orders` for customers, staff and the shop's own machines, and at
//! `/partner/orders` for partners, whose customers are apart from all others ([`CustomerScope`]). `check-health` is let into
//! the routes that it uses, as the synthetic customer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::order::{Order, OrderStatus, Outcome};
use domain::payment::VoidReason;
use domain::{
    Address, Customer, CustomerId, EmailAddress, Language, Lines, Money, OrderId, PaymentMethodId, PersonName,
};
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::http::input::{Cursor, Limit, PageInput, encode_cursor};
use platform::http::{
    Access, Caller, CustomerScope, FieldError, IdempotencyKey, Json, Operation, OperationDescription,
    Problem, RequestCause, Routes, Scope, parse_path_parameter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request::PlaceOrder;
use crate::store::{Orders, Placed, Placement, Stored};

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
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let read = Access::ScopeOrHealthCheck(Scope::OrdersRead);
    let order = Access::ScopeOrHealthCheck(Scope::OrdersWrite);
    let write = Access::Scope(Scope::OrdersWrite);
    let partner = Access::Partner(Scope::PartnerOrders);
    Routes::default()
        .add(Operation::post("/orders", "placeOrder", order, about_place), place)
        .add(Operation::get("/orders", "listOrders", read, about_list), list)
        .add(Operation::get("/orders/{order_id}", "readOrder", read, about_read), read_order)
        .add(Operation::post("/orders/{order_id}/cancel", "cancelOrder", write, about_cancel), cancel)
        .add(Operation::post("/partner/orders", "placePartnerOrder", partner, about_place), place)
        .add(Operation::get("/partner/orders", "listPartnerOrders", partner, about_list), list)
        .add(
            Operation::get("/partner/orders/{order_id}", "readPartnerOrder", partner, about_read),
            read_order,
        )
        .add(
            Operation::post("/partner/orders/{order_id}/cancel", "cancelPartnerOrder", partner, about_cancel),
            cancel,
        )
}

const ORDER_ID: &str = "The order: the `id` that placing it was answered with.";

fn about_place(it: &mut OperationDescription) {
    it.about(
        "Place an order",
        "The order is taken, and goes its way from here: stock is held for it at the price that you were shown, then \
         the payment method is charged, then the customer gets a mail. Read the order to see how far it is.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A new one, such as a UUID, for each order; the same one when you send the same order again, which then \
         gives the answer of the first time. Remembered for a week.",
    )
    .body::<PlaceOrder>()
    .response::<OrderView<'_>>(201, "The order is placed.")
    .with_header("Location", "Where the order is.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for another order.");
}

fn about_list(it: &mut OperationDescription) {
    it.about("List a customer's orders", "The newest first, a page at a time.")
        .query::<CustomerId>(
            "customer_id",
            "Whose. Customers leave it out: they get their own. All others have to say.",
        )
        .query::<Limit>("limit", "The most orders on a page: 20 where it is left out.")
        .query::<Cursor>("cursor", "The `next_cursor` of the page before.")
        .response::<ListView<'_>>(200, "A page.");
}

fn about_read(it: &mut OperationDescription) {
    it.about("Read an order", "Somebody else's order is not there, for you.")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<OrderView<'_>>(200, "The order.")
        .problem(404, "not-found", "You have no such order.");
}

fn about_cancel(it: &mut OperationDescription) {
    it.about(
        "Cancel an order",
        "Asks for it not to be charged. Whether that came in time, the order's status tells in the end: `cancelled`, or \
         `paid`. Asking again changes nothing, so no Idempotency-Key is needed.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .response::<OrderView<'_>>(202, "It is asked for, or the order is cancelled already.")
    .problem(404, "not-found", "You have no such order.")
    .problem(409, "order-final", "The order has ended otherwise, and can no longer be cancelled.");
}

/// An order, as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Order")]
struct OrderView<'a> {
    /// Names it.
    id: OrderId,
    /// How far it is.
    status: OrderStatus,
    /// Who asked for it to be cancelled, if anybody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<VoidReason>,
    /// Who ordered.
    customer: CustomerView<'a>,
    /// What was ordered.
    lines: &'a Lines,
    /// What all of it costs.
    total: Money,
    /// How it is paid.
    payment_method: &'a PaymentMethodId,
    /// When (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    placed_at: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
struct CustomerView<'a> {
    /// Who it is, as whoever placed the order calls them.
    id: &'a str,
    /// What they are called.
    name: &'a PersonName,
    /// Where the mails about the order go.
    email: &'a EmailAddress,
    /// Where the invoice is made out to.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a Address>,
    /// The language that they read.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a Language>,
}

impl<'a> OrderView<'a> {
    fn of(order: &'a Order, scope: &CustomerScope) -> Self {
        let details = &order.details;
        let Customer { id, name, email, address, language } = &details.customer;
        Self {
            id: order.id,
            status: order.status(),
            cancellation: order.cancellation,
            customer: CustomerView {
                id: scope.external_id(id),
                name,
                email,
                address: address.as_ref(),
                language: language.as_ref(),
            },
            lines: &details.lines,
            total: details.total,
            payment_method: &details.payment_method,
            placed_at: details.placed_at,
        }
    }
}

async fn place(
    State(api): State<Arc<Api>>,
    RequestCause(cause): RequestCause,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Json<PlaceOrder>, Problem>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let now = api.clock.now();
    let details = body.and_then(|body| body.0.into_details(&scope, now));
    let (key, details) = IdempotencyKey::from_headers_and_body(&headers, "order", details)?;
    let fingerprint = fingerprint(&details)?;
    // Two clients may have hit upon the same key.
    let key = hash(&[scope.caller_id(), key.as_str()]);
    let location = if scope.is_partner() { "/v1/partner/orders" } else { "/v1/orders" };
    let (order, event) = Order::place(OrderId::from(api.clock.new_id()), details, cause);
    tracing::Span::current().record("order_id", order.id.to_string());
    let answer = serde_json::to_string(&OrderView::of(&order, &scope)).map_err(anyhow::Error::from)?;
    let expires_at = now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX).as_second();
    let placement = Placement { key, fingerprint, order_id: order.id, answer, expires_at };
    let placement = match api.orders.place(&order, &event, &placement, now).await? {
        Placed::Now => placement,
        Placed::Before(before) if before.fingerprint == placement.fingerprint => before,
        Placed::Before(_) => return Err(Problem::idempotency_key_reused()),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::LOCATION, format!("{location}/{}", placement.order_id)),
    ];
    Ok((StatusCode::CREATED, headers, placement.answer).into_response())
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

async fn read_order(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(order_id): Path<String>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let stored = api.find(&scope, order_id_of(&order_id)?).await?;
    Ok(Json(OrderView::of(&stored.order, &scope)).into_response())
}

fn order_id_of(text: &str) -> Result<OrderId, Problem> {
    let id = parse_path_parameter("order_id", text)?;
    tracing::Span::current().record("order_id", text);
    Ok(id)
}

impl Api {
    /// The order, if the caller may see it. One that they may not see is not there, so that nobody can find out which
    /// ids there are.
    async fn find(&self, scope: &CustomerScope, id: OrderId) -> Result<Stored, Problem> {
        let found = self.orders.get(id).await?;
        found
            .filter(|stored| scope.includes(&stored.order.details.customer.id))
            .ok_or_else(|| Problem::not_found(format!("There is no order {id}.")))
    }
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    customer_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderPage")]
struct ListView<'a> {
    /// The newest first.
    orders: Vec<OrderView<'a>>,
    /// Where the next page starts; null on the last one.
    next_cursor: Option<String>,
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let customer = scope
        .resolve_customer(query.customer_id.as_deref())
        .map_err(|why| FieldError::parameter("customer_id", why));
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
    let orders = page.orders.iter().map(|order| OrderView::of(order, &scope)).collect();
    Ok(Json(ListView { orders, next_cursor: page.next.as_ref().map(encode_cursor) }).into_response())
}

async fn cancel(
    State(api): State<Arc<Api>>,
    RequestCause(cause): RequestCause,
    caller: Caller,
    Path(order_id): Path<String>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let id = order_id_of(&order_id)?;
    for _ in 0..TRIES {
        let stored = api.find(&scope, id).await?;
        let wish =
            stored.order.request_cancellation(VoidReason::CustomerRequest, api.clock.now(), cause.clone());
        let Some((order, event)) = wish else {
            return match stored.order.outcome {
                // Asked for before, or given up already: it is as the client wants it.
                None | Some(Outcome::Voided(_)) => {
                    Ok(Json(OrderView::of(&stored.order, &scope)).with_status(StatusCode::ACCEPTED))
                }
                Some(Outcome::Paid | Outcome::Rejected | Outcome::PaymentFailed) => Err(Problem::conflict(
                    "order-final",
                    "The order can no longer be cancelled",
                    "The order has ended. A paid order can be refunded; for any other there is nothing to give back.",
                )),
            };
        };
        if api.orders.replace(&stored, &order, Some(&event)).await? {
            return Ok(Json(OrderView::of(&order, &scope)).with_status(StatusCode::ACCEPTED));
        }
    }
    Err(anyhow::anyhow!("order {id} changed {TRIES} times while it was being cancelled").into())
}
