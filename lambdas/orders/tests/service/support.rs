//! The service with in-memory ports, and a client for it.

use std::sync::Arc;

use axum::body::Body;
use domain::fact::{PaymentSucceeded, PaymentVoided, ReservationRejected};
use domain::{
    Cause, Event, Fact, OrderDetails, OrderId, SYNTHETIC_CUSTOMER_ID, Shortage, ShortageKind, VoidReason,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use orders::adapters::memory::InMemoryOrders;
use orders::api::{Api, router};
use orders::quota::OrderLimit;
use orders::store::Orders;
use orders::track::TrackOrder;
use platform::host::http::build_app;
use platform::http::access::Scopes;
use platform::http::testing::set_caller;
use platform::http::{Caller, Scope, VerifiedEmail};
use platform::memory::{Bus, ManualClock};
use platform::{Clock, EventHandler};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) struct Service {
    pub(crate) orders: Arc<InMemoryOrders>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) bus: Arc<Bus>,
}

/// The parts of a response that tests inspect.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<i64>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl TestResponse {
    async fn from_response(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let location = parts.headers.get("location").map(|value| value.to_str().unwrap().to_owned());
        let retry_after =
            parts.headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        Self {
            status: parts.status,
            location,
            retry_after,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    pub(crate) fn id(&self) -> OrderId {
        self.body["id"].as_str().unwrap().parse().unwrap()
    }

    /// The locations of the errors: pointers, headers and parameters. Asserts that each error has a detail.
    pub(crate) fn error_locations(&self) -> Vec<&str> {
        let detail_length = |error: &'_ Value| -> Option<usize> { error["detail"].as_str().map(str::len) };
        let errors = self.body["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| detail_length(error) > Some(0)), "{}", self.text);
        let kinds = ["pointer", "header", "parameter"];
        errors.iter().map(|error| kinds.iter().find_map(|kind| error[*kind].as_str()).unwrap()).collect()
    }
}

/// The limit on the orders of a customer.
pub(crate) const LIMIT: OrderLimit = OrderLimit { max_orders: 5, window_seconds: 600 };

pub(crate) fn order() -> Value {
    json!({
        "customer": {"id": "cust-1", "name": "Ada", "email": "ada@example.com"},
        "payment_method": "pm_card_visa",
        "lines": [{"sku": "TEA-001", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}}],
    })
}

/// The order of a customer who orders for themselves.
pub(crate) fn own_order() -> Value {
    let mut order = order();
    order["customer"].as_object_mut().unwrap().remove("id");
    order
}

/// The order that `check-health` places.
pub(crate) fn synthetic_order() -> Value {
    let mut order = order();
    order["customer"]["id"] = json!(SYNTHETIC_CUSTOMER_ID);
    order
}

impl Service {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap()));
        Self { orders: Arc::default(), clock, bus: Arc::default() }
    }

    async fn call(&self, request: Request<Body>) -> TestResponse {
        self.call_as(staff(), request).await
    }

    /// Sends a request as a caller that the gateway has authenticated. The verified address of a user is that of
    /// [`order`].
    pub(crate) async fn call_as(&self, caller: Caller, request: Request<Body>) -> TestResponse {
        self.call_with_email(caller, Some("ada@example.com"), request).await
    }

    /// Sends a request as a caller with this verified address.
    pub(crate) async fn call_with_email(
        &self,
        caller: Caller,
        email: Option<&str>,
        mut request: Request<Body>,
    ) -> TestResponse {
        set_caller(&mut request, caller);
        request.extensions_mut().insert(VerifiedEmail(email.map(|email| email.parse().unwrap())));
        let orders = Arc::clone(&self.orders) as Arc<dyn Orders>;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let app = build_app(router(Api { orders, limit: LIMIT, clock: Arc::clone(&clock) }), clock);
        TestResponse::from_response(app.oneshot(request).await.unwrap()).await
    }

    /// The number of events in the outbox.
    pub(crate) fn pending_count(&self) -> usize {
        self.orders.pending_events().len()
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> TestResponse {
        let mut request = Request::post(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn place(&self, key: &str, body: &Value) -> TestResponse {
        self.post("/orders", &[("idempotency-key", key), ("x-correlation-id", "request-1")], body).await
    }

    /// Places an order and returns its id.
    pub(crate) async fn create_order(&self, key: &str) -> OrderId {
        let response = self.place(key, &order()).await;
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.text);
        response.id()
    }

    pub(crate) async fn cancel(&self, id: OrderId) -> TestResponse {
        self.post(&format!("/orders/{id}/cancel"), &[("x-correlation-id", "request-2")], &json!(null)).await
    }

    pub(crate) async fn status(&self, id: OrderId) -> Value {
        self.get(&format!("/orders/{id}")).await.body["status"].clone()
    }

    pub(crate) fn track_order(&self) -> TrackOrder {
        TrackOrder { orders: Arc::clone(&self.orders) as Arc<dyn Orders>, clock: self.clock.clone() }
    }

    /// Handles an event with `track-order`.
    pub(crate) async fn track(&self, event: &Event) {
        assert_eq!(self.track_order().handle(event).await.unwrap(), vec![]);
    }
}

fn scopes() -> Scopes {
    [Scope::OrdersRead, Scope::OrdersWrite].into_iter().collect()
}

pub(crate) fn staff() -> Caller {
    Caller::User { id: "staff-1".parse().unwrap(), is_staff: true, scopes: scopes() }
}

pub(crate) fn customer(id: &str) -> Caller {
    Caller::User { id: id.parse().unwrap(), is_staff: false, scopes: scopes() }
}

pub(crate) fn partner(id: &str) -> Caller {
    Caller::Machine { id: id.parse().unwrap(), scopes: [Scope::PartnerOrders].into_iter().collect() }
}

pub(crate) fn health_check(scopes: impl IntoIterator<Item = Scope>) -> Caller {
    Caller::Machine { id: "m".parse().unwrap(), scopes: scopes.into_iter().collect() }
}

pub(crate) fn details() -> OrderDetails {
    let mut details = order();
    details["total"] = json!({"amount": 2500, "currency": "EUR"});
    details["placed_at"] = json!("2026-11-23T10:15:30Z");
    serde_json::from_value(details).unwrap()
}

pub(crate) fn event(id: OrderId, fact: Fact) -> Event {
    let cause = Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
    Event::new(id, fact, Timestamp::UNIX_EPOCH, cause)
}

pub(crate) fn paid(id: OrderId) -> Event {
    let order = details();
    let (amount, payment_intent) = (order.total, "pi_1".parse().ok());
    event(id, Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount }))
}

pub(crate) fn rejected(id: OrderId) -> Event {
    let shortages = vec![Shortage { sku: "TEA-001".parse().unwrap(), kind: ShortageKind::UnknownProduct }];
    event(id, Fact::ReservationRejected(ReservationRejected { order: details(), shortages }))
}

pub(crate) fn voided(id: OrderId, reason: VoidReason) -> Event {
    event(id, Fact::PaymentVoided(PaymentVoided { order: details(), reason }))
}
