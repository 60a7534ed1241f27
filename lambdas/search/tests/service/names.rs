//! Names of products over HTTP: remembered, and never waited for long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;
use platform::http::client::{HttpClient, NoResponse};
use platform::memory::lock;
use search::adapters::HttpProductNames;
use search::store::ProductNames;

use crate::support::{clock, names, sku};

/// An inventory that answers as it is told.
#[derive(Clone, Default)]
struct Inventory {
    statuses: Arc<Mutex<BTreeMap<String, u16>>>,
    asked: Arc<AtomicU32>,
    hangs: bool,
}

#[async_trait]
impl HttpClient for Inventory {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        self.asked.fetch_add(1, Ordering::SeqCst);
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
async fn a_name_is_asked_for_once_in_a_while() {
    let (inventory, clock) = (Inventory::default(), clock());
    let asked = || inventory.asked.load(Ordering::SeqCst);
    let port = HttpProductNames::new(inventory.clone(), "http://shop/v1/", clock.clone());
    let both = [sku("A"), sku("B")];
    lock(&inventory.statuses).insert("B".to_owned(), 404);
    for _ in 0..3 {
        assert_eq!(port.names(&both).await, names(&[("A", "Name of A")]));
    }
    assert_eq!(asked(), 2);
    lock(&inventory.statuses).clear();
    clock.advance(SignedDuration::from_secs(61));
    assert_eq!(port.names(&both).await, names(&[("A", "Name of A"), ("B", "Name of B")]));
    assert_eq!(asked(), 3, "what was not there is asked for again soon");
    clock.advance(SignedDuration::from_secs(601));
    port.names(&both).await;
    assert_eq!(asked(), 5);
}

#[tokio::test]
async fn an_inventory_that_does_not_answer_is_left_alone_for_a_while() {
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
        let asked = inventory.asked.load(Ordering::SeqCst);
        assert_eq!(port.names(&[sku("A"), sku("B")]).await, names(&[]));
        assert_eq!(inventory.asked.load(Ordering::SeqCst), asked, "the stream goes on without it");
        clock.advance(SignedDuration::from_secs(16));
        port.names(&[sku("A")]).await;
        assert_eq!(inventory.asked.load(Ordering::SeqCst), asked + 1);
    }
}
