//! Parallel requests of a partner, whose subscriptions are one row.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use domain::CustomerId;
use futures::future::join_all;
use http::{Request, StatusCode};
use partners::adapters::memory::{
    InMemoryDeliveries, InMemoryDeliveryQueue, InMemoryPartners, SequentialSecretGenerator,
};
use partners::api::{Api, router};
use partners::store::Partners;
use partners::webhook::Subscriptions;
use platform::host::http::build_app;
use platform::http::testing::set_caller;
use platform::memory::SeededClock;
use platform::optimistic::Versioned;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{PARTNER, URL, machine};

/// A store in which each call takes a few milliseconds, so that parallel writers conflict.
struct RemotePartners(InMemoryPartners);

#[async_trait]
impl Partners for RemotePartners {
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.0.get(partner).await
    }

    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.0.replace(partner, read, subscriptions).await
    }
}

#[tokio::test]
async fn parallel_subscriptions_succeed_up_to_the_maximum() {
    for requests in [20, 50] {
        let clock = Arc::new(SeededClock::new(2026));
        let api = Api {
            partners: Arc::new(RemotePartners(InMemoryPartners::default())),
            deliveries: Arc::new(InMemoryDeliveries::default()),
            queue: Arc::new(InMemoryDeliveryQueue::default()),
            secrets: Arc::new(SequentialSecretGenerator::default()),
            exempt: None,
            clock: clock.clone(),
        };
        let app = build_app(router(api), clock);
        let send = |method: &str, path: &str, key: usize, body: Value| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", "application/json")
                .header("idempotency-key", format!("k{key}"));
            let mut request = request.body(Body::from(body.to_string())).unwrap();
            set_caller(&mut request, machine(PARTNER));
            app.clone().oneshot(request)
        };
        let created =
            join_all((0..requests).map(|key| send("POST", "/webhooks", key, json!({"url": URL})))).await;
        let mut locations = Vec::new();
        for response in created.into_iter().map(Result::unwrap) {
            match response.status() {
                StatusCode::CREATED => {
                    locations.push(response.headers()["location"].to_str().unwrap().replace("/v1", ""));
                }
                status => assert_eq!(status, StatusCode::CONFLICT, "there are ten webhooks"),
            }
        }
        assert_eq!(locations.len(), 10);
        let paths = locations.iter().cycle().take(requests);
        let changes = paths.map(|path| send("PATCH", path, 0, json!({"events": ["order.created"]})));
        for response in join_all(changes).await {
            assert_eq!(response.unwrap().status(), StatusCode::OK);
        }
    }
}
