//! The results of a health check, and what is published of them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use domain::order::OrderStatus;
use domain::{OrderId, Sku};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use operations::adapters::memory::{InMemoryQueues, InMemoryReports};
use operations::api::{Api, router};
use operations::check::CheckHealth;
use operations::report::Step;
use operations::shop::{Shop, SyntheticOrder};
use operations::store::{Depth, Reports};
use platform::host::http::build_app;
use platform::host::schedule::Job;
use platform::memory::{InjectedFaults, ManualClock};
use platform::{Clock, lock};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// A shop whose operations can fail.
#[derive(Default)]
struct FaultyShop {
    sign_in: InjectedFaults,
    list: InjectedFaults,
    read: InjectedFaults,
    place: InjectedFaults,
    read_status: InjectedFaults,
    empty: bool,
    final_status: Option<OrderStatus>,
    keys: Mutex<Vec<String>>,
    orders: Vec<SyntheticOrder>,
    list_orders: InjectedFaults,
}

#[async_trait]
impl Shop for FaultyShop {
    async fn sign_in(&self) -> anyhow::Result<()> {
        self.sign_in.check("signing in")
    }
    async fn any_product(&self) -> anyhow::Result<Option<Sku>> {
        self.list.check("listing")?;
        Ok((!self.empty).then(|| "TEA-1".parse().unwrap()))
    }
    async fn read_product(&self, _: &Sku) -> anyhow::Result<()> {
        self.read.check("reading arn:aws:secret")
    }
    async fn place_order(&self, key: &str) -> anyhow::Result<OrderId> {
        lock(&self.keys).push(key.to_owned());
        self.place.check("ordering")?;
        Ok(OrderId::from(Uuid::nil()))
    }
    async fn order_status(&self, _: OrderId) -> anyhow::Result<OrderStatus> {
        self.read_status.check("reading the status")?;
        Ok(self.final_status.unwrap_or(OrderStatus::Rejected))
    }
    async fn latest_orders(&self) -> anyhow::Result<Vec<SyntheticOrder>> {
        self.list_orders.check("listing the orders")?;
        Ok(self.orders.clone())
    }
}

struct World {
    shop: Arc<FaultyShop>,
    queues: Arc<InMemoryQueues>,
    reports: Arc<InMemoryReports>,
    clock: Arc<ManualClock>,
}

impl World {
    fn new(shop: FaultyShop) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-25T10:00:00Z".parse().unwrap()));
        Self { shop: Arc::new(shop), queues: Arc::default(), reports: Arc::default(), clock }
    }

    async fn check(&self) -> anyhow::Result<Value> {
        let job = CheckHealth {
            shop: self.shop.clone(),
            queues: self.queues.clone(),
            reports: self.reports.clone(),
            clock: self.clock.clone(),
        };
        job.run(Value::Null).await
    }

    /// Sends `GET /health`.
    async fn health(&self) -> (StatusCode, Value) {
        let api = Api { reports: self.reports.clone(), clock: self.clock.clone() };
        let router = build_app(router(api), Arc::clone(&self.clock) as Arc<dyn Clock>);
        let request = Request::get("/health").body(Body::empty()).unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        (parts.status, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
    }

    async fn steps(&self) -> Vec<(Step, bool)> {
        let report = self.reports.last().await.unwrap().unwrap();
        report.steps.iter().map(|step| (step.step, step.ok)).collect()
    }
}

#[tokio::test]
async fn a_working_shop_is_healthy_until_the_report_is_stale() {
    let world = World::new(FaultyShop::default());
    assert_eq!(
        world.check().await.unwrap(),
        json!({"healthy": true, "problems": [], "hanging": 0, "missing": []})
    );
    let (status, health) = world.health().await;
    assert_eq!(
        (status, &health["status"], &health["checked_at"]),
        (StatusCode::OK, &json!("ok"), &json!("2026-11-25T10:00:00Z"))
    );
    assert_eq!(health["steps"].as_array().unwrap().len(), 5);
    world.clock.advance(SignedDuration::from_mins(15));
    assert_eq!(world.health().await.0, StatusCode::OK);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.health().await.1["detail"], "There has been no recent health check.");
}

/// A shop that nobody has checked yet is not known to fail, unless that takes longer than a check ever does.
#[tokio::test]
async fn a_new_stack_is_starting_until_its_first_check() {
    let world = World::new(FaultyShop::default());
    world.clock.advance(SignedDuration::from_hours(9));
    let starting = (StatusCode::OK, json!({"status": "starting", "steps": []}));
    assert_eq!(world.health().await, starting);
    world.clock.advance(SignedDuration::from_mins(15));
    assert_eq!(world.health().await, starting);
    world.clock.advance(SignedDuration::from_secs(1));
    let (status, problem) = world.health().await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("There has been no health check yet."))
    );
    world.check().await.unwrap();
    assert_eq!(world.health().await.1["status"], "ok");
}

#[tokio::test]
async fn the_first_step_that_fails_twice_is_published_without_internal_details() {
    let world = World::new(FaultyShop::default());
    world.shop.read.fail_next(1);
    assert_eq!(world.check().await.unwrap()["healthy"], true, "a single failure is retried");
    world.clock.advance(SignedDuration::from_mins(5));
    world.shop.read.fail_next(2);
    let result = world.check().await.unwrap();
    assert_eq!(result["problems"], json!(["Products cannot be read."]));
    assert_eq!(
        world.steps().await,
        [(Step::SignIn, true), (Step::ListProducts, true), (Step::ReadProduct, false)]
    );
    let (status, problem) = world.health().await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("Products cannot be read."))
    );
    assert_eq!(problem["type"], "urn:serverless-orders:problem:unhealthy");
    assert!(!problem.to_string().contains("arn"), "{problem}");
    world.clock.advance(SignedDuration::from_mins(5));
    world.check().await.unwrap();
    assert_eq!(world.health().await.0, StatusCode::OK, "healthy again");
}

#[tokio::test]
async fn an_order_is_placed_once_however_often_the_step_is_retried() {
    let world = World::new(FaultyShop { empty: true, ..FaultyShop::default() });
    world.shop.place.fail_next(1);
    world.shop.read_status.fail_next(1);
    assert_eq!(world.check().await.unwrap()["healthy"], true, "a shop without products is healthy");
    let keys = lock(&world.shop.keys).clone();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    world.check().await.unwrap();
    assert_ne!(lock(&world.shop.keys).last(), keys.last(), "the next run places another order");
}

#[tokio::test]
async fn a_charged_synthetic_order_is_a_failure() {
    let world = World::new(FaultyShop { final_status: Some(OrderStatus::Paid), ..FaultyShop::default() });
    assert_eq!(
        world.check().await.unwrap()["problems"],
        json!(["Orders are accepted, but processing takes longer than usual."])
    );
}

#[tokio::test]
async fn hanging_synthetic_orders_are_counted() {
    let order = |minutes: i64, status| SyntheticOrder {
        id: OrderId::from(Uuid::nil()),
        status,
        placed_at: "2026-11-25T10:00:00Z".parse::<Timestamp>().unwrap() - SignedDuration::from_mins(minutes),
    };
    let orders = vec![
        order(1, OrderStatus::Placed),
        order(6, OrderStatus::Placed),
        order(9, OrderStatus::Rejected),
        order(99, OrderStatus::Reserved),
    ];
    let world = World::new(FaultyShop { orders, ..FaultyShop::default() });
    assert_eq!(world.check().await.unwrap()["hanging"], 2);
}

#[tokio::test]
async fn late_messages_are_published_and_dead_letters_are_left_to_their_alarm() {
    let world = World::new(FaultyShop::default());
    let depth = Depth { waiting: 5, in_flight: 1 };
    for queue in ["SendEmailQueue", "SendEmailDeadLetters"] {
        lock(&world.queues.depths).insert(queue.to_owned(), depth);
        lock(&world.queues.ages).insert("SendEmailDeadLetters".to_owned(), SignedDuration::from_hours(99));
    }
    assert_eq!(world.check().await.unwrap()["healthy"], true);
    world.clock.advance(SignedDuration::from_mins(5));
    lock(&world.queues.ages).insert("SendEmailQueue".to_owned(), SignedDuration::from_mins(16));
    assert_eq!(
        world.check().await.unwrap()["problems"],
        json!(["Some messages have been waiting longer than usual."])
    );
}

#[tokio::test]
async fn a_reading_that_fails_is_reported_and_affects_no_other() {
    let world = World::new(FaultyShop::default());
    lock(&world.queues.depths).insert("SendEmailQueue".to_owned(), Depth { waiting: 5, in_flight: 1 });
    lock(&world.queues.ages).insert("SendEmailQueue".to_owned(), SignedDuration::from_mins(16));
    let late = json!(["Some messages have been waiting longer than usual."]);
    let check = async |failures| {
        world.clock.advance(SignedDuration::from_mins(5));
        world.queues.failures.fail_next(failures);
        let result = world.check().await.unwrap();
        let missing = &world.reports.last().await.unwrap().unwrap().missing;
        assert_eq!(result["missing"], json!(missing));
        (result["problems"].clone(), result["hanging"].clone(), missing.clone())
    };
    assert_eq!(check(0).await, (late.clone(), json!(0), vec![]));
    // The depth is read first.
    assert_eq!(check(1).await, (late.clone(), json!(0), vec!["the depth of SendEmailQueue".to_owned()]));
    let both = vec!["the depth of SendEmailQueue".to_owned(), "the ages of messages".to_owned()];
    assert_eq!(
        check(2).await,
        (json!([]), json!(0), both),
        "that nothing is known is no problem of the shop"
    );
    world.shop.list_orders.fail_next(1);
    assert_eq!(check(0).await, (late, Value::Null, vec!["the synthetic orders".to_owned()]));
    world.shop.sign_in.fail_next(2);
    assert_eq!(check(0).await.2, ["the synthetic orders"], "without an access token they cannot be read");
}

#[tokio::test]
async fn a_report_that_cannot_be_saved_fails_the_run() {
    let world = World::new(FaultyShop::default());
    world.reports.failures.fail_next(1);
    assert!(world.check().await.is_err());
}
