//! `exports-api`, as clients see it.

use std::sync::Arc;

use axum::body::Body;
use documents::adapters::memory::{FixedLinkSecret, InMemoryExportQueue, InMemoryExports};
use documents::export::api::{Api, router};
use documents::report::Kind;
use documents::report::link::{GOOD_FOR, Links};
use domain::CustomerId;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use platform::host::http::build_app;
use platform::http::{Caller, Scope};
use platform::memory::{Bucket, ManualClock};
use platform::objects::{Object, ObjectStore};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::at;

struct Service {
    exports: Arc<InMemoryExports>,
    queue: Arc<InMemoryExportQueue>,
    files: Arc<Bucket>,
    clock: Arc<ManualClock>,
}

struct Answer {
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

    fn links(&self) -> Links {
        Links::new(Arc::new(FixedLinkSecret), self.clock.clone())
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let api = Api {
            exports: self.exports.clone(),
            queue: self.queue.clone(),
            files: self.files.clone(),
            links: self.links(),
            clock: self.clock.clone(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        };
        let id: CustomerId = "staff-1".parse().unwrap();
        let scopes = [Scope::ReportsRead].into_iter().collect();
        let caller = Caller::User { id, is_staff: true, scopes };
        let request = request.header("content-type", "application/json").extension(caller);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = build_app(router(api), self.clock.clone()).oneshot(request).await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Answer { status, location, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn ask(&self, key: &str, body: &Value) -> Answer {
        self.send(Request::post("/exports").header("idempotency-key", key), &body.to_string()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }
}

fn november() -> Value {
    json!({ "from": "2026-11-01", "to": "2026-11-24", "format": "csv", "statuses": ["paid"] })
}

#[tokio::test]
async fn asking_again_with_the_same_key_is_the_same_export_and_mends_what_was_lost() {
    let service = Service::new();
    service.queue.failures.fail_next(1);
    let lost = service.ask("k", &november()).await;
    assert_eq!(
        lost.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "the record is written and the message is not sent"
    );
    service.clock.advance(SignedDuration::from_secs(10));
    let asked = service.ask("k", &november()).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED);
    assert_eq!(
        asked.body["requested_at"], "2026-11-25T08:00:00Z",
        "the moment of the cut is that of the first time"
    );
    assert_eq!((&asked.body["status"], &asked.body["orders"]), (&"queued".into(), &0.into()));
    assert_eq!(asked.body["from"], "2026-10-31T23:00:00Z");
    assert_eq!(service.queue.take().len(), 1);
    let other = json!({ "from": "2026-11-01", "to": "2026-11-24", "format": "csv" });
    assert_eq!(service.ask("k", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let location = asked.location.unwrap();
    let read = service.get(location.strip_prefix("/v1").unwrap()).await;
    assert_eq!((read.status, &read.body["id"]), (StatusCode::OK, &asked.body["id"]));
}

#[tokio::test]
async fn an_export_whose_message_was_lost_is_gone_on_with_when_somebody_looks() {
    let service = Service::new();
    let asked = service.ask("k", &november()).await;
    let path = format!("/exports/{}", asked.body["id"].as_str().unwrap());
    assert_eq!(service.queue.take().len(), 1);
    service.get(&path).await;
    assert_eq!(service.queue.take(), [], "it may still be on its way");
    service.clock.advance(SignedDuration::from_mins(4));
    service.get(&path).await;
    assert_eq!(service.queue.take().len(), 1);
    service.get(&path).await;
    assert_eq!(service.queue.take(), [], "once in a while");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let service = Service::new();
    let places = async |body: Value| {
        let answer = service.ask("k", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        let errors = answer.body["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(places(json!({ "from": "x", "to": "2026-11-24", "format": "csv" })).await, ["/from"]);
    assert_eq!(places(json!({ "from": "2026-11-24", "to": "2026-11-23", "format": "csv" })).await, ["/to"]);
    assert_eq!(places(json!({ "from": "2025-11-23", "to": "2026-11-24", "format": "csv" })).await, ["/to"]);
    assert_eq!(places(json!({ "from": "2027-01-01", "to": "2027-01-01", "format": "csv" })).await, ["/from"]);
    assert_eq!(
        places(json!({ "from": "2027-01-01", "to": "2026-01-01", "format": "csv", "statuses": [] })).await,
        ["/to", "/from", "/statuses"]
    );
    let leap_year = json!({ "from": "2024-01-01", "to": "2024-12-31", "format": "parquet" });
    assert_eq!(service.ask("year", &leap_year).await.status, StatusCode::ACCEPTED);
    assert_eq!(service.get("/exports/x").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(service.get("/reports/2026-1-1").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(service.get("/reports/2026-11-23").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_link_out_of_a_mail_leads_to_its_file_for_a_week_and_to_no_other() {
    let service = Service::new();
    let day = "2026-11-23".parse().unwrap();
    let file = Object { key: Kind::Page.key(day), content_type: "text/html".to_owned(), body: "<p>".into() };
    service.files.write(file).await.unwrap();
    let link = service.links().make(day, Kind::Page).await.unwrap();
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
    let csv = service.links().make(day, Kind::Csv).await.unwrap();
    assert_eq!(service.get(&csv).await.status, StatusCode::NOT_FOUND, "that file was not written");
    service.clock.advance(GOOD_FOR);
    assert_eq!(service.get(&link).await.status, StatusCode::FORBIDDEN);
}
