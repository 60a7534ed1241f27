//! The service under test, its clients and events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use domain::fact::{
    CancellationRequested, OrderCreated, PaymentFailed, PaymentSucceeded, ReservationRejected,
    ReservationSettled,
};
use domain::{Cause, DeclineReason, Event, Fact, OrderDetails, OrderId, Shortage, ShortageKind, VoidReason};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use partners::adapters::memory::{
    InMemoryDeliveries, InMemoryDeliveryQueue, InMemoryPartners, InMemoryReceivers, SequentialSecretGenerator,
};
use partners::api::{Api, router};
use partners::deliver::DeliverWebhook;
use partners::delivery::Backoff;
use platform::host::http::build_app;
use platform::http::access::Scopes;
use platform::http::testing::set_caller;
use platform::http::{Caller, Scope};
use platform::memory::ManualClock;
use platform::{Clock, Failure, MessageHandler};
use serde::Serialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const PARTNER: &str = "client1";
pub(crate) const URL: &str = "https://partner.example.com/hook";

pub(crate) struct Service {
    pub(crate) partners: Arc<InMemoryPartners>,
    pub(crate) deliveries: Arc<InMemoryDeliveries>,
    pub(crate) queue: Arc<InMemoryDeliveryQueue>,
    pub(crate) receivers: Arc<InMemoryReceivers>,
    pub(crate) clock: Arc<ManualClock>,
    secrets: Arc<SequentialSecretGenerator>,
}

/// The parts of a response that tests check.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl ApiResponse {
    pub(crate) fn id(&self) -> String {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.body);
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// Returns the locations of the errors: pointers, headers and parameters.
    pub(crate) fn error_locations(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("{}", self.body));
        let kinds = ["pointer", "header", "parameter"];
        errors.iter().map(|error| kinds.iter().find_map(|kind| error[*kind].as_str()).unwrap()).collect()
    }

    /// Returns the status and the end of the type of the problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        let kind = self.body["type"].as_str().unwrap();
        (self.status.as_u16(), kind.rsplit(':').next().unwrap())
    }
}

pub(crate) fn machine(id: &str) -> Caller {
    Caller::Machine { id: id.parse().unwrap(), scopes: Scopes::from_iter([Scope::PartnerWebhooks]) }
}

impl Service {
    pub(crate) fn new() -> Self {
        Self {
            partners: Arc::default(),
            deliveries: Arc::default(),
            queue: Arc::default(),
            receivers: Arc::default(),
            secrets: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap())),
        }
    }

    pub(crate) async fn call(
        &self,
        caller: Caller,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> ApiResponse {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let mut request = request.body(Body::from(body.map(Value::to_string).unwrap_or_default())).unwrap();
        set_caller(&mut request, caller);
        self.send(request).await
    }

    /// Sends a request with nothing added to it.
    pub(crate) async fn send(&self, request: Request<Body>) -> ApiResponse {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let api = Api {
            partners: self.partners.clone(),
            deliveries: self.deliveries.clone(),
            queue: self.queue.clone(),
            secrets: self.secrets.clone(),
            exempt: None,
            clock: Arc::clone(&clock),
        };
        let (parts, body) = build_app(router(api), clock).oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        ApiResponse {
            status: parts.status,
            location: parts.headers.get("location").map(|value| value.to_str().unwrap().to_owned()),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> ApiResponse {
        self.call(machine(PARTNER), Method::GET, path, None, None).await
    }

    pub(crate) async fn subscribe(&self, key: &str, body: &Value) -> ApiResponse {
        self.call(machine(PARTNER), Method::POST, "/webhooks", Some(key), Some(body)).await
    }

    /// Subscribes to all events, and returns the path of the webhook.
    pub(crate) async fn subscribed(&self, key: &str) -> String {
        format!("/webhooks/{}", self.subscribe(key, &json!({ "url": URL })).await.id())
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> ApiResponse {
        self.call(machine(PARTNER), Method::PATCH, path, None, Some(body)).await
    }

    pub(crate) async fn resend(&self, webhook: &str, event: &Event) -> ApiResponse {
        let path = format!("{webhook}/deliveries/{}/resend", event.id);
        self.call(machine(PARTNER), Method::POST, &path, None, None).await
    }

    pub(crate) async fn delivery(&self, webhook: &str, event: &Event) -> Value {
        self.get(&format!("{webhook}/deliveries/{}", event.id)).await.body
    }

    pub(crate) fn function(&self) -> DeliverWebhook {
        DeliverWebhook {
            partners: self.partners.clone(),
            deliveries: self.deliveries.clone(),
            client: self.receivers.clone(),
            clock: self.clock.clone(),
            backoff: Backoff { base_delay: Duration::from_secs(5) },
            disable_after: SignedDuration::from_hours(5 * 24),
        }
    }

    pub(crate) async fn deliver(&self, event: &impl Serialize) -> Result<Vec<Event>, Failure> {
        handle(&self.function(), event).await
    }

    /// Delivers as the queue would: redelivers the message when it is due, until there is nothing left to do.
    pub(crate) async fn deliver_until_final(&self, event: &impl Serialize) {
        for _ in 0..200 {
            match self.deliver(event).await {
                Ok(caused) => return assert!(caused.is_empty()),
                Err(Failure::Leased { until }) => {
                    let left = until.duration_since(self.clock.now()).max(SignedDuration::ZERO);
                    assert!(
                        left <= SignedDuration::from_hours(12),
                        "the maximum visibility timeout of SQS is 12 hours"
                    );
                    self.clock.advance(left);
                }
                Err(failure) => panic!("{failure}"),
            }
        }
        panic!("the delivery never becomes final");
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn event(&self, fact: Fact) -> Event {
        let cause =
            Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
        Event::new(order_id(1), fact, self.now(), cause)
    }

    pub(crate) fn created(&self, customer: &str) -> Event {
        self.event(Fact::OrderCreated(OrderCreated { order: order(customer) }))
    }

    pub(crate) fn paid(&self) -> Event {
        let order = order("client1.42");
        let (amount, payment_intent) = (order.total, "pi_1".parse().ok());
        self.event(Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount }))
    }
}

/// Handles a message of the queue with this event.
pub(crate) async fn handle(function: &DeliverWebhook, event: &impl Serialize) -> Result<Vec<Event>, Failure> {
    function.handle_message(json!({ "detail": event }), Duration::from_secs(30)).await
}

pub(crate) fn order_id(number: u128) -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_0000_0000 + number))
}

pub(crate) fn order(customer: &str) -> OrderDetails {
    serde_json::from_value(json!({
        "customer": {
            "id": customer, "name": "Ada Lovelace", "email": "ada@example.com", "language": "de",
            "address": {"recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB"},
        },
        "payment_method": "pm_card_visa",
        "lines": [{"sku": "TEA-001", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}}],
        "total": {"amount": 2500, "currency": "EUR"},
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap()
}

pub(crate) fn rejected() -> Fact {
    let shortage =
        Shortage { sku: "TEA-001".parse().unwrap(), kind: ShortageKind::OutOfStock { available: 1 } };
    Fact::ReservationRejected(ReservationRejected { order: order("client1.42"), shortages: vec![shortage] })
}

pub(crate) fn declined() -> Fact {
    let reason = DeclineReason { code: "card_declined".into(), decline_code: None };
    Fact::PaymentFailed(PaymentFailed { order: order("client1.42"), reason })
}

pub(crate) fn cancellation_requested() -> Fact {
    Fact::CancellationRequested(CancellationRequested {
        order: order("client1.42"),
        reason: VoidReason::Expired,
    })
}

pub(crate) fn committed() -> Fact {
    Fact::ReservationCommitted(ReservationSettled {})
}
