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
use domain::{
    Address, Customer, CustomerId, EmailAddress, Language, Lines, Money, OrderId, PaymentMethodId,
    PersonName, Shortage, VoidReason,
};
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::http::input::{Cursor, Limit, PageInput, encode_cursor};
use platform::http::{
    Access, Caller, CustomerScope, FieldError, IdempotencyKey, Json, Operation, OperationDescription,
    Problem, RequestCause, Routes, Scope, VerifiedEmail, parse_path_parameter,
};
use platform::optimistic::Attempts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::quota::OrderLimit;
use crate::recipient::Recipient;
use crate::request::PlaceOrder;
use crate::store::{IdempotencyRecord, Orders, Placed, Stored};

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
        .add(Operation::post("/orders", "placeOrder", place_access, describe_place_own), place)
        .add(Operation::get("/orders", "listOrders", read, describe_list), list)
        .add(Operation::get("/orders/{order_id}", "readOrder", read, describe_get), get_order)
        .add(Operation::post("/orders/{order_id}/cancel", "cancelOrder", write, describe_cancel), cancel)
        .add(Operation::post("/partner/orders", "placePartnerOrder", partner, describe_place), place)
        .add(Operation::get("/partner/orders", "listPartnerOrders", partner, describe_list), list)
        .add(
            Operation::get("/partner/orders/{order_id}", "readPartnerOrder", partner, describe_get),
            get_order,
        )
        .add(
            Operation::post(
                "/partner/orders/{order_id}/cancel",
                "cancelPartnerOrder",
                partner,
                describe_cancel,
            ),
            cancel,
        )
}

const ORDER_ID: &str = "The id of the order.";

fn describe_place(it: &mut OperationDescription) {
    it.about(
        "Place an order",
        "Accepts the order. It is then processed asynchronously: stock is reserved at the given unit prices, \
         the payment method is charged, and the customer is notified by email. Get the order for its status.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A unique key, such as a UUID, for each order. A retry with the same key and body returns the \
         original response and does not place a second order. Keys are stored for a week.",
    )
    .body::<PlaceOrder>()
    .response::<OrderView<'_>>(201, "The order was placed.")
    .with_header("Location", "The path of the order.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for a different order.");
}

fn describe_place_own(it: &mut OperationDescription) {
    describe_place(it);
    it.problem(403, "forbidden", "Your account has no verified email address.").problem(
        429,
        "order-limit-reached",
        "You have placed too many orders. Retry after the time in `Retry-After`.",
    );
}

fn describe_list(it: &mut OperationDescription) {
    it.about("List orders", "The orders of a customer, the newest first.")
        .query::<CustomerId>(
            "customer_id",
            "The id of the customer. Required, except for customers: they omit it and get their own orders.",
        )
        .query::<Limit>("limit", "The maximum number of orders per page. The default is 20.")
        .query::<Cursor>("cursor", "The `next_cursor` of the previous page.")
        .response::<ListView<'_>>(200, "A page of orders.");
}

fn describe_get(it: &mut OperationDescription) {
    it.about("Get an order", "An order that you may not access is reported as not found.")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<OrderView<'_>>(200, "The order.")
        .problem(404, "not-found", "The order does not exist, or you may not access it.");
}

fn describe_cancel(it: &mut OperationDescription) {
    it.about(
        "Cancel an order",
        "Requests the cancellation of the order. The final status shows whether the request came in time: \
         `cancelled` if it did, `paid` if the order had already been charged. The operation is idempotent \
         and needs no Idempotency-Key.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .response::<OrderView<'_>>(202, "Cancellation was requested, or the order is already cancelled.")
    .problem(404, "not-found", "The order does not exist, or you may not access it.")
    .problem(409, "order-final", "The order is in another final status and can no longer be cancelled.");
}

/// An order and its current status.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Order")]
struct OrderView<'a> {
    /// The id of the order.
    id: OrderId,
    /// The status of the order.
    status: OrderStatus,
    /// Why cancellation was requested. Absent if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<VoidReason>,
    /// The products because of which the order was rejected. Absent if it was not.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    shortages: &'a [Shortage],
    /// The customer, as of the time of the order.
    customer: CustomerView<'a>,
    /// The lines of the order.
    lines: &'a Lines,
    /// The total price, including tax.
    total: Money,
    /// The id of the Stripe payment method.
    payment_method: &'a PaymentMethodId,
    /// When the order was placed (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    placed_at: Timestamp,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Customer")]
struct CustomerView<'a> {
    /// The id of the customer. For a partner, the partner's own id of the customer.
    id: &'a str,
    /// The name of the customer.
    name: &'a PersonName,
    /// The address to which emails about the order are sent.
    email: &'a EmailAddress,
    /// The billing address.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a Address>,
    /// The preferred language of the customer (ISO 639-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a Language>,
}

impl<'a> OrderView<'a> {
    fn from_order(order: &'a Order, scope: &CustomerScope) -> Self {
        let details = &order.details;
        let Customer { id, name, email, address, language } = &details.customer;
        Self {
            id: order.id,
            status: order.status(),
            cancellation: order.cancellation,
            shortages: &order.shortages,
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
        Placed::Created => record,
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

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderPage")]
struct ListView<'a> {
    /// The orders, the newest first.
    orders: Vec<OrderView<'a>>,
    /// The cursor of the next page; null on the last page.
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
