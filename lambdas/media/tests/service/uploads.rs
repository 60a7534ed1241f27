//! Uploads from creation to the current image, with failing calls and redelivered messages.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use domain::product::{ProductFact, RejectReason};
use domain::{Event, Sku, UploadId};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use media::MAX_UPLOAD_BYTES;
use media::adapters::BlockingRenderer;
use media::adapters::memory::{InMemoryImages, InMemoryQuarantine, InMemoryScanner, UnsignedForms};
use media::api::{Api, router};
use media::process::{ProcessUpload, quarantine_key};
use media::scan::Verdict;
use platform::host::http::build_app;
use platform::http::access::Scopes;
use platform::http::{Caller, Scope};
use platform::memory::{Bucket, ManualClock};
use platform::{Failure, MessageHandler};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{jpeg, png};

const SKU: &str = "TEA-001";

struct Service {
    images: Arc<InMemoryImages>,
    quarantine: Arc<InMemoryQuarantine>,
    scanner: Arc<InMemoryScanner>,
    renditions: Arc<Bucket>,
    clock: Arc<ManualClock>,
}

impl Service {
    fn new() -> Self {
        Self {
            images: Arc::default(),
            quarantine: Arc::default(),
            scanner: Arc::default(),
            renditions: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap())),
        }
    }

    async fn call(&self, method: Method, body: &Value) -> (StatusCode, Value) {
        let id = "machine".parse().unwrap();
        let caller = Caller::Machine { id, scopes: Scopes::from_iter([Scope::InventoryWrite]) };
        let request = Request::builder()
            .method(method)
            .uri(format!("/products/{SKU}/image"))
            .header("content-type", "application/json")
            .extension(caller)
            .body(Body::from(body.to_string()))
            .unwrap();
        let api = Api {
            images: self.images.clone(),
            forms: Arc::new(UnsignedForms),
            renditions: self.renditions.clone(),
            clock: self.clock.clone(),
        };
        let response = build_app(router(api), self.clock.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn create_upload(&self) -> String {
        let (status, form) = self.call(Method::POST, &json!({ "content_type": "image/jpeg" })).await;
        assert_eq!(status, StatusCode::CREATED, "{form}");
        form["upload_id"].as_str().unwrap().to_owned()
    }

    async fn image(&self) -> Value {
        let (status, image) = self.call(Method::GET, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{image}");
        image
    }

    fn key(id: &str) -> String {
        let (sku, id): (Sku, UploadId) = (SKU.parse().unwrap(), id.parse().unwrap());
        quarantine_key(&sku, id)
    }

    fn put(&self, id: &str, etag: &str, content: Vec<u8>) {
        self.quarantine.put(&Self::key(id), etag, content);
    }

    async fn process(&self, id: &str, etag: &str) -> Result<Vec<Event<ProductFact>>, Failure> {
        let handler = ProcessUpload {
            images: self.images.clone(),
            quarantine: self.quarantine.clone(),
            scanner: self.scanner.clone(),
            renderer: Arc::new(BlockingRenderer),
            renditions: self.renditions.clone(),
            clock: self.clock.clone(),
        };
        self.clock.advance(SignedDuration::from_secs(1));
        handler.handle_message(json!({ "key": Self::key(id), "etag": etag }), Duration::from_secs(30)).await
    }
}

#[tokio::test]
async fn an_upload_is_created_processed_and_shown() {
    let service = Service::new();
    assert_eq!(service.call(Method::GET, &Value::Null).await.0, StatusCode::NOT_FOUND);
    let id = service.create_upload().await;
    let before = service.image().await;
    assert_eq!((&before["status"], &before["image"]), (&json!("pending"), &Value::Null));
    service.put(&id, "1", jpeg(64, 48));
    let events = service.process(&id, "1").await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].fact.name(), events[0].subject.as_str()), ("product.image_ready", SKU));
    let after = service.image().await;
    assert_eq!((&after["status"], &after["image"]["upload_id"]), (&json!("ready"), &json!(id)));
    assert_eq!(after["image"]["renditions"].as_array().unwrap().len(), 6);
    assert_eq!(service.renditions.keys().len(), 6);
}

#[tokio::test]
async fn redelivered_messages_produce_the_same_event_and_record() {
    let service = Service::new();
    let id = service.create_upload().await;
    service.put(&id, "1", jpeg(64, 48));
    let first = service.process(&id, "1").await.unwrap();
    let (shown, files) = (service.image().await, service.renditions.keys());
    service.scanner.set_verdict(Verdict::Infected { threat: "a signature that came later".to_owned() });
    for _ in 0..3 {
        assert_eq!(service.process(&id, "1").await.unwrap(), first);
    }
    assert_eq!((service.image().await, service.renditions.keys()), (shown, files));
}

/// Whichever call fails, before or after its effect: the message is retried, with the same result.
#[tokio::test]
async fn processing_succeeds_on_retry_after_any_call_fails() {
    type InjectFault = fn(&Service);
    let faults: [(&str, InjectFault); 5] = [
        ("reading", |service| service.quarantine.failures.fail_next(1)),
        ("scanning", |service| service.scanner.failures.fail_next(1)),
        ("writing", |service| service.renditions.failures.fail_next(1)),
        ("completing", |service| service.images.failures.fail_next(1)),
        ("completing, response lost", |service| service.images.lost_responses.fail_next(1)),
    ];
    for (what, inject) in faults {
        let service = Service::new();
        let id = service.create_upload().await;
        service.put(&id, "1", png(64, 48));
        inject(&service);
        assert!(matches!(service.process(&id, "1").await, Err(Failure::Retry(_))), "{what}");
        let is_ready = what == "completing, response lost";
        assert_eq!(service.image().await["status"], if is_ready { "ready" } else { "pending" }, "{what}");
        assert_eq!(service.process(&id, "1").await.unwrap().len(), 1, "{what}");
        assert_eq!(service.image().await["status"], "ready", "{what}");
        assert_eq!(service.renditions.keys().len(), 6, "{what}");
    }
}

#[tokio::test]
async fn only_a_clean_file_is_accepted() {
    for (verdict, reason) in [
        (Verdict::Infected { threat: "Eicar".to_owned() }, RejectReason::Malware),
        (Verdict::NotScannable, RejectReason::NotScannable),
        (Verdict::Failed, RejectReason::ScanFailed),
    ] {
        let service = Service::new();
        let id = service.create_upload().await;
        service.put(&id, "1", jpeg(64, 48));
        service.scanner.set_verdict(verdict);
        let events = service.process(&id, "1").await.unwrap();
        assert!(
            matches!(&events[0].fact, ProductFact::ImageRejected(it) if it.reason == reason),
            "{events:?}"
        );
        assert_eq!(service.image().await["reason"], json!(reason));
        assert_eq!(service.renditions.keys(), Vec::<String>::new(), "nothing is written before the scan");
    }
}

/// A verdict applies only to the version that was scanned, not to a file that replaced it.
#[tokio::test]
async fn an_older_verdict_does_not_admit_a_replaced_file() {
    let service = Service::new();
    let id = service.create_upload().await;
    service.put(&id, "2", jpeg(64, 48));
    let events = service.process(&id, "1").await.unwrap();
    assert!(matches!(&events[0].fact, ProductFact::ImageRejected(it) if it.reason == RejectReason::Expired));
    assert_eq!(service.renditions.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn oversized_and_invalid_files_are_rejected() {
    let service = Service::new();
    for (content, reason) in [
        (vec![0; usize::try_from(MAX_UPLOAD_BYTES).unwrap() + 1], "too_large"),
        (b"no picture".to_vec(), "not_an_image"),
        (jpeg(64, 48)[..300].to_vec(), "malformed"),
    ] {
        let id = service.create_upload().await;
        service.put(&id, "1", content);
        service.process(&id, "1").await.unwrap();
        assert_eq!(service.image().await["reason"], reason);
    }
}

#[tokio::test]
async fn the_newest_ready_upload_is_the_current_image_in_any_order_of_completion() {
    let service = Service::new();
    let (older, newer, bad) =
        (service.create_upload().await, service.create_upload().await, service.create_upload().await);
    for (id, content) in [(&newer, jpeg(64, 48)), (&older, png(64, 48)), (&bad, b"no picture".to_vec())] {
        service.put(id, "1", content);
        assert_eq!(service.process(id, "1").await.unwrap().len(), 1);
    }
    let shown = service.image().await;
    assert_eq!((&shown["upload_id"], &shown["status"]), (&json!(bad), &json!("rejected")));
    assert_eq!(
        (&shown["image"]["upload_id"], &shown["image"]["original"]["format"]),
        (&json!(newer), &json!("jpeg"))
    );
}

#[tokio::test]
async fn a_file_without_an_upload_is_sent_to_the_dlq() {
    let service = Service::new();
    let unknown = "01a207e7-51d0-774b-bcce-b302099a8057";
    service.put(unknown, "1", jpeg(64, 48));
    assert!(matches!(service.process(unknown, "1").await, Err(Failure::Reject(_))));
    assert_eq!(service.renditions.keys(), Vec::<String>::new());
}
