//! Product names over HTTP: caching and time limits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;
use platform::http_client::{HttpClient, NoResponse};
use platform::lock;
use search::adapters::HttpProductNames;
use search::store::ProductNames;

use crate::support::{clock, names, sku};

/// An inventory that responds with configured status codes; 0 is a connection error.
#[derive(Clone, Default)]
struct Inventory {
    statuses: Arc<Mutex<BTreeMap<String, u16>>>,
    requests: Arc<AtomicU32>,
    hangs: bool,
}

#[async_trait]
impl HttpClient for Inventory {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        assert!(request.uri().path().starts_with("/v1/products/"));
        let sku = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let status = lock(&self.statuses).get(&sku).copied().unwrap_or(200);
        if status == 0 {
            return Err(NoResponse { host: "inventory".to_owned(), source: "reset".into() });
        }
        let body = format!(r#"{{"sku": "{sku}", "name": "Name of {sku}", "available": 7}}"#);
        Ok(Response::builder().status(status).body(body.into()).unwrap())
    }
}

#[tokio::test]
async fn names_and_absent_products_are_cached() {
    let (inventory, clock) = (Inventory::default(), clock());
    let requests = || inventory.requests.load(Ordering::SeqCst);
    let port = HttpProductNames::new(inventory.clone(), "http://shop/v1/", clock.clone());
    let both = [sku("A"), sku("B")];
    lock(&inventory.statuses).insert("B".to_owned(), 404);
    for _ in 0..3 {
        assert_eq!(port.names(&both).await, names(&[("A", "Name of A")]));
    }
    assert_eq!(requests(), 2);
    lock(&inventory.statuses).clear();
    clock.advance(SignedDuration::from_secs(61));
    assert_eq!(port.names(&both).await, names(&[("A", "Name of A"), ("B", "Name of B")]));
    assert_eq!(requests(), 3, "an absent product is looked up again soon");
    clock.advance(SignedDuration::from_secs(601));
    port.names(&both).await;
    assert_eq!(requests(), 5);
}

#[tokio::test]
async fn lookups_pause_after_the_inventory_fails() {
    let broken = |status: u16| {
        let inventory = Inventory::default();
        lock(&inventory.statuses).insert("B".to_owned(), status);
        inventory
    };
    for inventory in [broken(0), broken(500), broken(403), Inventory { hangs: true, ..Inventory::default() }]
    {
        let clock = clock();
        let port = HttpProductNames::new(inventory.clone(), "http://shop/v1", clock.clone());
        assert!(!port.names(&[sku("B")]).await.contains_key(&sku("B")));
        let requests = inventory.requests.load(Ordering::SeqCst);
        assert_eq!(port.names(&[sku("A"), sku("B")]).await, names(&[]));
        assert_eq!(
            inventory.requests.load(Ordering::SeqCst),
            requests,
            "the stream continues without lookups"
        );
        clock.advance(SignedDuration::from_secs(16));
        port.names(&[sku("A")]).await;
        assert_eq!(inventory.requests.load(Ordering::SeqCst), requests + 1);
    }
}
