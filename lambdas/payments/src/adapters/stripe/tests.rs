//! Tests against the Stripe stand-in, over TCP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::UnsignedClient;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use domain::fact::ReservationConfirmed;
use domain::{Cause, Event, Fact, Money, OrderDetails};
use jiff::Timestamp;
use platform::http_client::NoResponse;
use platform::memory::ManualClock;
use platform::{EventHandler, Failure, lock};
use serde_json::{Value, json};
use stripe_stand_in::{Account, DEFAULT_KEY, StandIn, router, serve};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::adapters::memory::InMemoryPayments;
use crate::arbiter::{Arbiter, ProcessPayment};

mod refusals;
mod statuses;

/// A fake Secrets Manager that returns the next value of the secret with each read.
#[derive(Debug, Clone)]
struct Secrets(Arc<Mutex<VecDeque<&'static str>>>);

impl HttpConnector for Secrets {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let text = lock(&self.0).pop_front().expect("the secret is read more often than expected");
        let body = SdkBody::from(json!({"Name": "stripe", "SecretString": text}).to_string());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), body)))
    }
}

fn secret(texts: &[&'static str]) -> Secret {
    let secrets = Secrets(Arc::new(Mutex::new(texts.iter().copied().collect())));
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(secrets.clone())))
        .retry_config(RetryConfig::disabled())
        .build();
    Secret::new(&config, "stripe".to_owned())
}

struct World {
    stripe: Arc<Stripe<UnsignedClient>>,
    base: String,
}

impl World {
    async fn start() -> Self {
        Self::with(secret(&[DEFAULT_KEY]), Duration::from_secs(20)).await
    }

    async fn with(key: Secret, timeout: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stand_in = Arc::new(StandIn::new(vec![DEFAULT_KEY.to_owned()], Account::default()));
        tokio::spawn(serve(listener, router(stand_in), std::future::pending()));
        Self { stripe: Arc::new(Stripe::new(UnsignedClient::new(timeout), &format!("{base}/"), key)), base }
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_control/{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()));
        let response = UnsignedClient::new(Duration::from_secs(20)).send(request.unwrap()).await.unwrap();
        assert!(response.status().is_success(), "{path}: {:?}", response.body());
        // Some operations have no response body.
        serde_json::from_slice(response.body()).unwrap_or_default()
    }

    async fn set_status(&self, intent: &PaymentIntentId, status: &str) {
        let path = format!("payment_intents/{intent}/status");
        self.control(Method::PUT, &path, json!({ "status": status })).await;
    }

    async fn fault(&self, operation: &str, kind: &str, effect: &str) {
        let delay = if kind == "timeout" { 10 } else { 0 };
        let fault =
            json!({"operation": operation, "kind": kind, "effect": effect, "times": 1, "delay_ms": delay});
        self.control(Method::POST, "faults", fault).await;
    }

    async fn charges(&self) -> usize {
        self.control(Method::GET, "charges", Value::Null).await.as_array().unwrap().len()
    }

    /// `process-payment` with this provider, and no records.
    fn function(&self) -> ProcessPayment {
        ProcessPayment(self.arbiter(Arc::default()))
    }

    fn arbiter(&self, payments: Arc<InMemoryPayments>) -> Arbiter {
        Arbiter {
            payments,
            provider: Arc::clone(&self.stripe) as Arc<dyn Provider>,
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        }
    }

    async fn create(&self, method: &str, key: &str) -> Result<PaymentIntentId, ProviderError> {
        self.stripe.create(new_intent(method, 1250, key)).await
    }

    /// Creates a PaymentIntent and confirms it.
    async fn confirmed(&self, method: &str) -> (PaymentIntentId, IntentStatus) {
        let id = self.create(method, method).await.unwrap();
        let status = self.stripe.confirm(&id, "confirm-1").await.unwrap();
        (id, status)
    }
}

/// A client that gives the same response to every request.
struct Fixed(StatusCode, Value);

#[async_trait]
impl HttpClient for Fixed {
    async fn send(&self, _: Request<Bytes>) -> Result<http::Response<Bytes>, NoResponse> {
        Ok(http::Response::builder().status(self.0).body(Bytes::from(self.1.to_string())).unwrap())
    }
}

/// A client of a Stripe that gives the same response to every request.
fn fixed(status: StatusCode, body: Value) -> Stripe<Fixed> {
    Stripe::new(Fixed(status, body), "https://stripe.test", secret(&[DEFAULT_KEY; 3]))
}

fn new_intent(method: &str, amount: i64, key: &str) -> NewIntent {
    let amount: Money = serde_json::from_value(json!({"amount": amount, "currency": "EUR"})).unwrap();
    NewIntent {
        order_id: OrderId::from(Uuid::from_u128(1)),
        amount,
        payment_method: method.parse().unwrap(),
        idempotency_key: key.to_owned(),
    }
}

fn declined(code: &str, decline_code: Option<&str>) -> IntentStatus {
    IntentStatus::Declined(DeclineReason { code: code.into(), decline_code: decline_code.map(Into::into) })
}

#[tokio::test]
async fn a_charge_is_created_and_confirmed() {
    let world = World::start().await;
    let id = world.create("pm_card_visa", "key-1").await.unwrap();
    assert_eq!(world.stripe.retrieve(&id).await.unwrap(), IntentStatus::Unconfirmed);
    assert_eq!(world.charges().await, 0);
    for key in ["confirm-1", "confirm-1", "confirm-2"] {
        assert_eq!(world.stripe.confirm(&id, key).await.unwrap(), IntentStatus::Succeeded, "{key}");
    }
    assert_eq!(world.stripe.retrieve(&id).await.unwrap(), IntentStatus::Succeeded);
    assert_eq!(world.stripe.cancel(&id).await.unwrap(), IntentStatus::Succeeded, "too late");
    let charge = &world.control(Method::GET, "charges", Value::Null).await[0];
    assert_eq!((&charge["amount"], &charge["currency"]), (&json!(1250), &json!("eur")));
    assert_eq!((&charge["order_id"], world.charges().await), (&json!(Uuid::from_u128(1).to_string()), 1));
}

#[tokio::test]
async fn declines_have_a_reason_and_can_be_cancelled_permanently() {
    for (method, status) in [
        ("pm_card_visa_chargeDeclined", declined("card_declined", Some("generic_decline"))),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            declined("card_declined", Some("insufficient_funds")),
        ),
        ("pm_card_chargeDeclinedExpiredCard", declined("expired_card", None)),
        ("pm_card_authenticationRequired", declined("authentication_required", None)),
    ] {
        let world = World::start().await;
        let (id, confirmed) = world.confirmed(method).await;
        let IntentStatus::Declined(reason) = &confirmed else { panic!("{method}: {confirmed:?}") };
        let IntentStatus::Declined(expected) = &status else { unreachable!() };
        assert_eq!(reason.code, expected.code, "{method}");
        if expected.decline_code.is_some() {
            assert_eq!(reason.decline_code, expected.decline_code, "{method}");
        }
        assert!(matches!(world.stripe.retrieve(&id).await.unwrap(), IntentStatus::Declined(_)), "{method}");
        assert_eq!(world.stripe.cancel(&id).await.unwrap(), IntentStatus::Cancelled, "{method}");
        assert_eq!(world.stripe.cancel(&id).await.unwrap(), IntentStatus::Cancelled, "{method}");
        assert_eq!(world.stripe.confirm(&id, "late").await.unwrap(), IntentStatus::Cancelled, "{method}");
        assert_eq!(world.charges().await, 0, "{method}");
    }
}

#[tokio::test]
async fn order_parameters_that_stripe_rejects_are_refusals() {
    let world = World::start().await;
    let unknown = world.create("pm_unknown", "key-1").await;
    assert!(
        matches!(&unknown, Err(ProviderError::Refused(why)) if why.code == "resource_missing"),
        "{unknown:?}"
    );
    for amount in [0, 1] {
        let small = world.stripe.create(new_intent("pm_card_visa", amount, &amount.to_string())).await;
        assert!(matches!(small, Err(ProviderError::Refused(_))), "{amount}: {small:?}");
    }
}

#[tokio::test]
async fn requests_for_unknown_intents_are_invalid() {
    let world = World::start().await;
    let unknown_intent = "pi_nobodys".parse().unwrap();
    for response in [
        world.stripe.retrieve(&unknown_intent).await,
        world.stripe.confirm(&unknown_intent, "c").await,
        world.stripe.cancel(&unknown_intent).await,
    ] {
        let Err(ProviderError::InvalidRequest(why)) = &response else { panic!("{response:?}") };
        assert!(why.contains("404") && why.contains("resource_missing"), "{why}");
    }
}

#[tokio::test]
async fn an_idempotency_key_returns_the_same_intent_and_rejects_another_request() {
    let world = World::start().await;
    let id = world.create("pm_card_visa", "key-1").await.unwrap();
    assert_eq!(world.create("pm_card_visa", "key-1").await.unwrap(), id);
    assert_ne!(world.create("pm_card_visa", "key-2").await.unwrap(), id);
    let other = world.stripe.create(new_intent("pm_card_visa", 999, "key-1")).await;
    assert!(matches!(other, Err(ProviderError::Unknown(_))), "{other:?}");
}

#[tokio::test]
async fn an_internal_error_of_stripe_is_an_unknown_outcome_and_is_replayed_for_its_key() {
    let world = World::start().await;
    let id = world.create("pm_card_visa", "key-1").await.unwrap();
    world.fault("confirm", "http_500", "before").await;
    for _ in 0..2 {
        let response = world.stripe.confirm(&id, "confirm-1").await;
        assert!(matches!(response, Err(ProviderError::Unknown(_))), "{response:?}");
    }
    assert_eq!(world.stripe.confirm(&id, "confirm-2").await.unwrap(), IntentStatus::Succeeded);
}

#[tokio::test]
async fn transient_failures_are_unknown_outcomes_that_a_retrieval_resolves() {
    for kind in ["http_500", "http_503", "http_429", "conflict_409", "timeout", "reset"] {
        for effect in ["before", "after"] {
            if effect == "after" && matches!(kind, "http_429" | "conflict_409") {
                continue;
            }
            let world = World::start().await;
            let id = world.create("pm_card_visa", "key-1").await.unwrap();
            world.fault("confirm", kind, effect).await;
            let response = world.stripe.confirm(&id, "confirm-1").await;
            assert!(matches!(response, Err(ProviderError::Unknown(_))), "{kind} {effect}: {response:?}");
            let status = world.stripe.retrieve(&id).await.unwrap();
            let expected =
                if effect == "after" { IntentStatus::Succeeded } else { IntentStatus::Unconfirmed };
            assert_eq!(status, expected, "{kind} {effect}");
        }
    }
}

#[tokio::test]
async fn a_missing_response_times_out() {
    let world = World::with(secret(&[DEFAULT_KEY]), Duration::from_millis(50)).await;
    let fault = json!({"operation": "create", "kind": "timeout", "times": 1, "delay_ms": 60_000});
    world.control(Method::POST, "faults", fault).await;
    let response = world.create("pm_card_visa", "key-1").await;
    assert!(matches!(response, Err(ProviderError::Unknown(_))), "{response:?}");
}

#[tokio::test]
async fn a_rotated_api_key_is_read_again() {
    let world = World::with(secret(&["sk_test_old", " sk_test_local\n"]), Duration::from_secs(20)).await;
    let refused = world.create("pm_card_visa", "key-1").await;
    assert!(matches!(&refused, Err(ProviderError::Unknown(why)) if !why.to_string().contains("sk_test")));
    for key in ["key-1", "key-2"] {
        world.create("pm_card_visa", key).await.unwrap();
    }
}

fn event() -> Event {
    event_with("pm_card_visa")
}

fn event_with(payment_method: &str) -> Event {
    let order: OrderDetails = serde_json::from_value(json!({
        "customer": {"id": "cust-1", "name": "Ada", "email": "ada@example.com"},
        "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}}],
        "total": {"amount": 2500, "currency": "EUR"},
        "payment_method": payment_method,
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap();
    let cause = Cause { correlation_id: "r-1".parse().unwrap(), causation_id: None, traceparent: None };
    let fact = Fact::ReservationConfirmed(ReservationConfirmed { order });
    Event::new(OrderId::from(Uuid::from_u128(1)), fact, Timestamp::UNIX_EPOCH, cause)
}

/// End to end: whichever call fails, the order is charged exactly once.
#[tokio::test]
async fn an_order_is_charged_once_whichever_call_fails() {
    for operation in ["create", "confirm"] {
        for (kind, effect) in [
            ("http_500", "before"),
            ("http_500", "after"),
            ("http_503", "before"),
            ("http_503", "after"),
            ("http_429", "before"),
            ("conflict_409", "before"),
            ("timeout", "before"),
            ("timeout", "after"),
            ("reset", "after"),
        ] {
            let world = World::start().await;
            let function = world.function();
            world.fault(operation, kind, effect).await;
            let first = function.handle(&event()).await;
            assert!(matches!(first, Err(Failure::Retry(_))), "{operation} {kind} {effect}: {first:?}");
            let outcome = function.handle(&event()).await.unwrap();
            assert_eq!(outcome[0].fact.name(), "payment.succeeded", "{operation} {kind} {effect}");
            assert_eq!(world.charges().await, 1, "{operation} {kind} {effect}");
        }
    }
}
