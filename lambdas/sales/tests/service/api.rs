//! `exports-api` from the perspective of clients.

use std::sync::Arc;

use axum::body::Body;
use domain::CustomerId;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use platform::Clock;
use platform::host::http::build_app;
use platform::http::{Caller, Scope};
use platform::memory::{Bucket, ManualClock};
use platform::objects::{Object, ObjectStore};
use sales::adapters::memory::{FixedLinkSecret, InMemoryExportQueue, InMemoryExports};
use sales::api::router;
use sales::export::store::Exports;
use sales::export::{Export, ExportId, FILE_RETENTION, State};
use sales::report::ReportFile;
use sales::report::link::{LINK_LIFETIME, LinkSigner};
use sales::{export, report};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::at;

struct Service {
    exports: Arc<InMemoryExports>,
    queue: Arc<InMemoryExportQueue>,
    files: Arc<Bucket>,
    clock: Arc<ManualClock>,
}

struct ApiResponse {
    status: StatusCode,
    location: Option<String>,
    body: Value,
}

impl Service {
    fn new() -> Self {
        Self {
            exports: Arc::default(),
            queue: Arc::default(),
            files: Arc::default(),
            clock: Arc::new(ManualClock::new(at("2026-11-25T08:00:00Z"))),
        }
    }

    fn links(&self) -> LinkSigner {
        LinkSigner::new(Arc::new(FixedLinkSecret), self.clock.clone())
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> ApiResponse {
        let exports = export::api::Api {
            exports: self.exports.clone(),
            queue: self.queue.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        };
        let (files, links, clock) = (self.files.clone(), self.links(), self.clock.clone());
        let reports = report::api::Api { files, links, clock };
        let id: CustomerId = "staff-1".parse().unwrap();
        let scopes = [Scope::ReportsRead].into_iter().collect();
        let caller = Caller::User { id, is_staff: true, scopes };
        let request = request.header("content-type", "application/json").extension(caller);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response =
            build_app(router(exports, reports), self.clock.clone()).oneshot(request).await.unwrap();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        ApiResponse { status, location, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn create_export(&self, key: &str, body: &Value) -> ApiResponse {
        self.send(Request::post("/exports").header("idempotency-key", key), &body.to_string()).await
    }

    async fn get(&self, path: &str) -> ApiResponse {
        self.send(Request::get(path), "").await
    }
}

fn november() -> Value {
    json!({ "from": "2026-11-01", "to": "2026-11-24", "format": "csv", "statuses": ["paid"] })
}

#[tokio::test]
async fn a_file_can_be_downloaded_for_seven_days() {
    let service = Service::new();
    let created = service.create_export("k", &november()).await;
    let id: ExportId = serde_json::from_value(created.body["id"].clone()).unwrap();
    let stored = service.exports.get(id).await.unwrap().unwrap();
    let state = State::Done { orders: 1, bytes: 10, at: service.clock.now() };
    let done = Export { state, ..stored.value.clone() };
    service.exports.replace(&stored, done).await.unwrap().unwrap();
    let path = format!("/exports/{id}");
    service.clock.advance(FILE_RETENTION - SignedDuration::from_secs(1));
    let last = service.get(&path).await.body;
    assert_eq!((&last["status"], last["download"].is_object()), (&json!("done"), true), "{last}");
    service.clock.advance(SignedDuration::from_secs(1));
    let deleted = service.get(&path).await.body;
    assert_eq!(
        (&deleted["status"], deleted["download"].is_object()),
        (&json!("expired"), false),
        "{deleted}"
    );
}

#[tokio::test]
async fn a_retry_with_the_same_key_returns_the_same_export_and_sends_a_lost_message() {
    let service = Service::new();
    service.queue.failures.fail_next(1);
    let failed = service.create_export("k", &november()).await;
    assert_eq!(
        failed.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "the record is written, but the message is not sent"
    );
    service.clock.advance(SignedDuration::from_secs(10));
    let created = service.create_export("k", &november()).await;
    assert_eq!(created.status, StatusCode::ACCEPTED);
    assert_eq!(
        created.body["requested_at"], "2026-11-25T08:00:00Z",
        "the snapshot time is that of the first request"
    );
    assert_eq!((&created.body["status"], &created.body["orders"]), (&"queued".into(), &0.into()));
    assert_eq!(created.body["from"], "2026-10-31T23:00:00Z");
    assert_eq!(service.queue.take().len(), 1);
    let other = json!({ "from": "2026-11-01", "to": "2026-11-24", "format": "csv" });
    assert_eq!(service.create_export("k", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let location = created.location.unwrap();
    let read = service.get(location.strip_prefix("/v1").unwrap()).await;
    assert_eq!((read.status, &read.body["id"]), (StatusCode::OK, &created.body["id"]));
}

#[tokio::test]
async fn reading_an_export_resends_a_lost_message() {
    let service = Service::new();
    let created = service.create_export("k", &november()).await;
    let path = format!("/exports/{}", created.body["id"].as_str().unwrap());
    assert_eq!(service.queue.take().len(), 1);
    service.get(&path).await;
    assert_eq!(service.queue.take(), [], "the message may still be in flight");
    service.clock.advance(SignedDuration::from_mins(4));
    service.get(&path).await;
    assert_eq!(service.queue.take().len(), 1);
    service.get(&path).await;
    assert_eq!(service.queue.take(), [], "not again so soon");
}

#[tokio::test]
async fn all_errors_are_reported_together() {
    let service = Service::new();
    let pointers = async |body: Value| {
        let response = service.create_export("k", &body).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{}", response.body);
        let errors = response.body["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(pointers(json!({ "from": "x", "to": "2026-11-24", "format": "csv" })).await, ["/from"]);
    assert_eq!(pointers(json!({ "from": "2026-11-24", "to": "2026-11-23", "format": "csv" })).await, ["/to"]);
    assert_eq!(pointers(json!({ "from": "2025-11-23", "to": "2026-11-24", "format": "csv" })).await, ["/to"]);
    assert_eq!(
        pointers(json!({ "from": "2027-01-01", "to": "2027-01-01", "format": "csv" })).await,
        ["/from"]
    );
    assert_eq!(
        pointers(json!({ "from": "2027-01-01", "to": "2026-01-01", "format": "csv", "statuses": [] })).await,
        ["/to", "/from", "/statuses"]
    );
    let leap_year = json!({ "from": "2024-01-01", "to": "2024-12-31", "format": "parquet" });
    assert_eq!(service.create_export("year", &leap_year).await.status, StatusCode::ACCEPTED);
    assert_eq!(service.get("/exports/x").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(service.get("/reports/2026-1-1").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(service.get("/reports/2026-11-23").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_email_link_is_valid_for_its_file_only_and_for_a_week() {
    let service = Service::new();
    let day = "2026-11-23".parse().unwrap();
    let file =
        Object { key: ReportFile::Page.key(day), content_type: "text/html".to_owned(), body: "<p>".into() };
    service.files.write(file).await.unwrap();
    let link = service.links().sign(day, ReportFile::Page).await.unwrap();
    let followed = service.get(&link).await;
    assert_eq!(followed.status, StatusCode::FOUND);
    assert!(followed.location.unwrap().contains("reports/2026-11-23/report.html"));
    for wrong in [
        link.replace("2026-11-23", "2026-11-22"),
        link.replace("/page", "/csv"),
        link.replace("until=", "until=9"),
        link.replace("signature=", "signature=A"),
        link.split('?').next().unwrap().to_owned(),
        link.split('&').next().unwrap().to_owned(),
    ] {
        assert_eq!(service.get(&wrong).await.status, StatusCode::FORBIDDEN, "{wrong}");
    }
    let csv = service.links().sign(day, ReportFile::Csv).await.unwrap();
    assert_eq!(service.get(&csv).await.status, StatusCode::NOT_FOUND, "this file does not exist");
    service.clock.advance(LINK_LIFETIME);
    assert_eq!(service.get(&link).await.status, StatusCode::FORBIDDEN);
}
