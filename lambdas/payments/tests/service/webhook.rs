//! `stripe-webhook`: which requests are accepted, and what is published.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use domain::Fact;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use payments::webhook::signature::sign;
use payments::webhook::{SecretSource, Secrets, WebhookApi, router};
use platform::host::http::build_app;
use platform::memory::{Bus, ManualClock};
use platform::{Clock, lock};
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::order_id;

const OURS: &str = "whsec_ours";

/// A fake Secrets Manager that counts reads.
struct StubSecret {
    text: std::sync::Mutex<Option<&'static str>>,
    reads: AtomicU32,
}

#[async_trait]
impl SecretSource for StubSecret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let text = *lock(&self.text);
        text.map(|text| SecretString::from(text.to_owned())).ok_or_else(|| anyhow::anyhow!("unavailable"))
    }
}

struct World {
    secret: Arc<StubSecret>,
    bus: Arc<Bus>,
    clock: Arc<ManualClock>,
    router: axum::Router,
}

fn world(secret: &'static str) -> World {
    let secret = Arc::new(StubSecret { text: Some(secret).into(), reads: AtomicU32::new(0) });
    let bus = Arc::new(Bus::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap()));
    let api = WebhookApi {
        secrets: Secrets::new(Arc::clone(&secret) as Arc<_>, Arc::clone(&clock) as Arc<_>),
        publisher: Arc::clone(&bus) as Arc<_>,
        clock: Arc::clone(&clock) as Arc<_>,
    };
    let router = build_app(router(api), Arc::clone(&clock) as Arc<_>);
    World { secret, bus, clock, router }
}

fn event(id: &str, kind: &str) -> String {
    json!({
        "id": id, "object": "event", "type": kind, "created": 1_795_428_900, "livemode": false,
        "data": { "object": {
            "id": "pi_1", "object": "payment_intent", "status": "succeeded", "metadata": { "order_id": order_id() },
        } },
    })
    .to_string()
}

impl World {
    async fn send(&self, headers: &[(&str, &[u8])], body: impl Into<Body>) -> (StatusCode, Value) {
        let mut request = Request::post("/webhooks/stripe").header("x-correlation-id", "c-1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn send_signed(&self, secret: &str, body: &str) -> StatusCode {
        let header = sign(secret, self.clock.now(), body.as_bytes());
        self.send(&[("stripe-signature", header.as_bytes())], body.to_owned()).await.0
    }

    fn reads(&self) -> u32 {
        self.secret.reads.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_report_is_published_before_the_response() {
    let world = world(OURS);
    let body = event("evt_1", "payment_intent.succeeded");
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::NO_CONTENT);
    world.clock.advance(SignedDuration::from_secs(600));
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::NO_CONTENT, "Stripe redelivers it");
    assert_eq!(
        world.send_signed(OURS, &event("evt_2", "payment_intent.canceled")).await,
        StatusCode::NO_CONTENT
    );
    let published = world.bus.published();
    let [first, again, other] = published.as_slice() else { panic!("{published:?}") };
    assert_eq!((first.subject, first.time.as_second()), (order_id(), 1_795_428_900));
    assert_eq!((first.id, &first.fact), (again.id, &again.fact), "the same report is the same event");
    assert_ne!(first.id, other.id, "another report is another event");
    let Fact::PaymentReported(reported) = &first.fact else { panic!("{first:?}") };
    assert_eq!((reported.payment_intent.as_str(), reported.report.as_str()), ("pi_1", "evt_1"));
    assert_eq!(world.reads(), 1, "the secret is cached");
}

#[tokio::test]
async fn a_publish_failure_makes_stripe_retry() {
    let world = world(OURS);
    world.bus.failures.fail_next(1);
    let body = event("evt_1", "payment_intent.succeeded");
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::NO_CONTENT);
    assert_eq!(world.bus.published().len(), 1);
}

#[tokio::test]
async fn irrelevant_events_are_accepted_and_ignored() {
    let world = world(OURS);
    let without_order = event("evt_1", "payment_intent.succeeded").replace("order_id", "invoice");
    for body in [event("evt_1", "customer.created"), event("evt_2", "charge.refunded"), without_order] {
        assert_eq!(world.send_signed(OURS, &body).await, StatusCode::NO_CONTENT, "{body}");
    }
    assert_eq!(world.bus.published(), []);
}

#[tokio::test]
async fn an_invalid_signature_is_rejected_without_the_reason() {
    let world = world(OURS);
    let body = event("evt_1", "payment_intent.succeeded");
    let at = |seconds| world.clock.now() + SignedDuration::from_secs(seconds);
    let good = sign(OURS, at(0), body.as_bytes());
    let mut problems = Vec::new();
    for (what, header, body) in [
        ("tampered", good.clone().into_bytes(), body.replace("pi_1", "pi_2")),
        ("another secret", sign("whsec_other", at(0), body.as_bytes()).into_bytes(), body.clone()),
        ("too old", sign(OURS, at(-301), body.as_bytes()).into_bytes(), body.clone()),
        ("from the future", sign(OURS, at(301), body.as_bytes()).into_bytes(), body.clone()),
        ("v0 only", good.replace("v1=", "v0=").into_bytes(), body.clone()),
        ("not UTF-8", [good.as_bytes(), b"\xff"].concat(), body.clone()),
        ("empty", Vec::new(), body.clone()),
    ] {
        let (status, problem) = world.send(&[("stripe-signature", &header)], body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}");
        problems.push(problem);
    }
    let (status, problem) = world.send(&[], body.clone()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "no header");
    assert_eq!(
        problem,
        json!({
            "type": "urn:serverless-orders:problem:invalid-request",
            "title": "The request is not valid",
            "status": 400,
            "detail": "The request has 1 error: see errors.",
            "errors": [{
                "header": "Stripe-Signature",
                "detail": "must be Stripe's signature of this body, made within the last five minutes",
            }],
            "correlation_id": "c-1",
        })
    );
    assert!(problems.iter().all(|other| *other == problem), "{problems:?}");
    let several = format!("{good},v1={}", "0".repeat(64));
    assert_eq!(world.send(&[("stripe-signature", several.as_bytes())], body).await.0, StatusCode::NO_CONTENT);
    assert_eq!(world.bus.published().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_not_an_event_is_rejected() {
    let world = world(OURS);
    assert_eq!(world.send_signed(OURS, &" ".repeat(256 * 1024 + 1)).await, StatusCode::PAYLOAD_TOO_LARGE);
    let padded = format!("{}{}", event("evt_1", "x"), " ".repeat(200 * 1024));
    assert_eq!(world.send_signed(OURS, &padded).await, StatusCode::NO_CONTENT);
    for body in ["", "{}", "[1]", "nothing like it"] {
        assert_eq!(world.send_signed(OURS, body).await, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn no_report_is_lost_while_the_secret_is_rotated() {
    let world = world("whsec_old");
    let body = event("evt_1", "payment_intent.succeeded");
    assert_eq!(world.send_signed("whsec_old", &body).await, StatusCode::NO_CONTENT);
    *lock(&world.secret.text) = Some("whsec_old\nwhsec_new\n");
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(world.send_signed("whsec_new", &body).await, StatusCode::NO_CONTENT, "read again immediately");
    assert_eq!(world.send_signed("whsec_old", &body).await, StatusCode::NO_CONTENT);
    assert_eq!(world.reads(), 2);
    *lock(&world.secret.text) = Some("whsec_new");
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(world.send_signed("whsec_wrong", &body).await, StatusCode::BAD_REQUEST);
    assert_eq!(world.send_signed("whsec_old", &body).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn invalid_signatures_do_not_cause_a_read_each() {
    let world = world(OURS);
    let body = event("evt_1", "payment_intent.succeeded");
    for second in 0..180 {
        assert_eq!(world.send_signed("whsec_guess", &body).await, StatusCode::BAD_REQUEST, "{second}");
        world.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(world.reads(), 3, "at most once a minute");
    // The same while it cannot be read; the cached secret remains.
    *lock(&world.secret.text) = None;
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(world.send_signed("whsec_guess", &body).await, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..20 {
        assert_eq!(world.send_signed("whsec_guess", &body).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.reads(), 4);
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_stack_without_a_secret_rejects_everything() {
    let world = world("none stored-so-far whsec_");
    let body = event("evt_1", "payment_intent.succeeded");
    for secret in ["none stored-so-far", "none", "stored-so-far", "", "whsec_"] {
        assert_eq!(world.send_signed(secret, &body).await, StatusCode::BAD_REQUEST, "{secret:?}");
    }
    *lock(&world.secret.text) = Some(OURS);
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_unreadable_secret_makes_stripe_retry() {
    let world = world(OURS);
    *lock(&world.secret.text) = None;
    let body = event("evt_1", "payment_intent.succeeded");
    assert_eq!(world.send_signed(OURS, &body).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.reads(), 1);
}
