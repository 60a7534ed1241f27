//! Against the stand-in for Stripe, over TCP.

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
use domain::event::ReservationConfirmed;
use domain::{Cause, Event, Fact, Money, OrderDetails};
use jiff::Timestamp;
use platform::memory::{ManualClock, lock};
use platform::{EventHandler, Failure};
use serde_json::json;
use stripe_stand_in::{Account, DEFAULT_KEY, StandIn, router, serve};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::adapters::memory::InMemoryPayments;
use crate::arbiter::{Arbiter, ProcessPayment};

/// Secrets Manager, with what the secret says from one read to the next.
#[derive(Debug, Clone)]
struct Secrets(Arc<Mutex<VecDeque<&'static str>>>);

impl HttpConnector for Secrets {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let text = lock(&self.0).pop_front().expect("read more often than was expected");
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
        let answer = UnsignedClient::new(Duration::from_secs(20)).send(request.unwrap()).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {:?}", answer.body());
        serde_json::from_slice(answer.body()).unwrap()
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

    async fn create(&self, method: &str, key: &str) -> Result<PaymentIntentId, ProviderError> {
        self.stripe.create(new_intent(method, 1250, key)).await
    }

    /// A PaymentIntent, confirmed.
    async fn confirmed(&self, method: &str) -> (PaymentIntentId, IntentStatus) {
        let id = self.create(method, method).await.unwrap();
        let status = self.stripe.confirm(&id, "confirm-1").await.unwrap();
        (id, status)
    }
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
async fn a_charge_in_two_steps() {
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
async fn declines_say_why_and_are_cancelled_for_good() {
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
async fn what_the_order_decides_and_stripe_does_not_take_is_refused() {
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
async fn what_we_do_wrong_is_told_as_such() {
    let world = World::start().await;
    let nobodys = "pi_nobodys".parse().unwrap();
    for answer in [
        world.stripe.retrieve(&nobodys).await,
        world.stripe.confirm(&nobodys, "c").await,
        world.stripe.cancel(&nobodys).await,
    ] {
        let Err(ProviderError::Misunderstood(why)) = &answer else { panic!("{answer:?}") };
        assert!(why.contains("404") && why.contains("resource_missing"), "{why}");
    }
}

#[tokio::test]
async fn a_key_gives_the_same_intent_and_is_not_for_another() {
    let world = World::start().await;
    let id = world.create("pm_card_visa", "key-1").await.unwrap();
    assert_eq!(world.create("pm_card_visa", "key-1").await.unwrap(), id);
    assert_ne!(world.create("pm_card_visa", "key-2").await.unwrap(), id);
    let other = world.stripe.create(new_intent("pm_card_visa", 999, "key-1")).await;
    assert!(matches!(other, Err(ProviderError::Unknown(_))), "{other:?}");
}

#[tokio::test]
async fn a_failure_of_stripes_own_is_an_unknown_and_stays_under_its_key() {
    let world = World::start().await;
    let id = world.create("pm_card_visa", "key-1").await.unwrap();
    world.fault("confirm", "http_500", "before").await;
    for _ in 0..2 {
        let answer = world.stripe.confirm(&id, "confirm-1").await;
        assert!(matches!(answer, Err(ProviderError::Unknown(_))), "{answer:?}");
    }
    assert_eq!(world.stripe.confirm(&id, "confirm-2").await.unwrap(), IntentStatus::Succeeded);
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_is_an_unknown_that_can_be_looked_up() {
    for kind in ["http_500", "http_503", "http_429", "conflict_409", "timeout", "reset"] {
        for effect in ["before", "after"] {
            if effect == "after" && matches!(kind, "http_429" | "conflict_409") {
                continue;
            }
            let world = World::start().await;
            let id = world.create("pm_card_visa", "key-1").await.unwrap();
            world.fault("confirm", kind, effect).await;
            let answer = world.stripe.confirm(&id, "confirm-1").await;
            assert!(matches!(answer, Err(ProviderError::Unknown(_))), "{kind} {effect}: {answer:?}");
            let status = world.stripe.retrieve(&id).await.unwrap();
            let expected =
                if effect == "after" { IntentStatus::Succeeded } else { IntentStatus::Unconfirmed };
            assert_eq!(status, expected, "{kind} {effect}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let world = World::with(secret(&[DEFAULT_KEY]), Duration::from_millis(50)).await;
    let fault = json!({"operation": "create", "kind": "timeout", "times": 1, "delay_ms": 60_000});
    world.control(Method::POST, "faults", fault).await;
    let answer = world.create("pm_card_visa", "key-1").await;
    assert!(matches!(answer, Err(ProviderError::Unknown(_))), "{answer:?}");
}

#[tokio::test]
async fn a_key_that_was_rotated_is_read_again() {
    let world = World::with(secret(&["sk_test_old", " sk_test_local\n"]), Duration::from_secs(20)).await;
    let refused = world.create("pm_card_visa", "key-1").await;
    assert!(matches!(&refused, Err(ProviderError::Unknown(why)) if !why.to_string().contains("sk_test")));
    for key in ["key-1", "key-2"] {
        world.create("pm_card_visa", key).await.unwrap();
    }
}

fn event() -> Event {
    let order: OrderDetails = serde_json::from_value(json!({
        "customer": {"id": "cust-1", "name": "Ada", "email": "ada@example.com"},
        "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}}],
        "total": {"amount": 2500, "currency": "EUR"},
        "payment_method": "pm_card_visa",
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap();
    let cause = Cause { correlation_id: "r-1".parse().unwrap(), causation_id: None, traceparent: None };
    let fact = Fact::ReservationConfirmed(ReservationConfirmed { order });
    Event::new(OrderId::from(Uuid::from_u128(1)), fact, Timestamp::UNIX_EPOCH, cause)
}

/// The whole way: wherever it goes wrong, the order is charged once in the end.
#[tokio::test]
async fn an_order_is_charged_once_whatever_call_fails_and_however() {
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
            let function = ProcessPayment(Arbiter {
                payments: Arc::new(InMemoryPayments::default()),
                provider: Arc::clone(&world.stripe) as Arc<dyn Provider>,
                clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
            });
            world.fault(operation, kind, effect).await;
            let first = function.handle(&event()).await;
            assert!(matches!(first, Err(Failure::Retry(_))), "{operation} {kind} {effect}: {first:?}");
            let outcome = function.handle(&event()).await.unwrap();
            assert_eq!(outcome[0].fact.name(), "payment.succeeded", "{operation} {kind} {effect}");
            assert_eq!(world.charges().await, 1, "{operation} {kind} {effect}");
        }
    }
}

#[test]
fn what_stripe_would_count_otherwise_is_not_sent() {
    let money = |amount: u32, currency: &str| -> domain::Money {
        serde_json::from_value(serde_json::json!({ "amount": amount, "currency": currency })).unwrap()
    };
    for (amount, currency, sent) in [
        (1250, "EUR", true),
        (500, "JPY", true),
        (1250, "MGA", false),
        (500, "ISK", false),
        (500, "UGX", false),
        (1250, "KWD", true),
        (1251, "KWD", false),
    ] {
        assert_eq!(super::counts_alike(money(amount, currency)), sent, "{amount} {currency}");
    }
}
