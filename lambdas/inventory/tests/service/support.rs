//! The service with in-memory ports, and clients for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{OrderId, Sku};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use inventory::adapters::memory::InMemoryInventory;
use inventory::api::{Api, router};
use inventory::store::{Products, Reservations};
use jiff::Timestamp;
use platform::host::http::build_app;
use platform::http::{Caller, Scope};
use platform::http_client::{HttpClient, NoResponse};
use platform::memory::{InjectedFaults, ManualClock};
use platform::{Clock, lock};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// A concurrent action between the read and the write of a reservation.
type Race = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The tables, with concurrent actions before writes.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) inner: Arc<InMemoryInventory>,
    pub(crate) races: Mutex<Vec<Race>>,
}

#[async_trait]
impl Reservations for Tables {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>> {
        Reservations::get(self.inner.as_ref(), order).await
    }

    async fn load_stock(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>> {
        self.inner.load_stock(skus).await
    }

    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool> {
        let race = lock(&self.races).pop();
        if let Some(race) = race {
            race().await;
        }
        self.inner.write(read, new, changes).await
    }
}

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) tables: Arc<Tables>,
    pub(crate) clock: Arc<ManualClock>,
    /// Faults of requests, before they arrive.
    pub(crate) lost_requests: Arc<InjectedFaults>,
    /// Faults of responses, after the request has taken effect.
    pub(crate) lost_responses: Arc<InjectedFaults>,
}

/// The parts of a response that tests inspect.
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) tag: Option<String>,
    pub(crate) body: Value,
}

pub(crate) fn order_id(number: u128) -> OrderId {
    OrderId::from(Uuid::from_u128(number))
}

pub(crate) fn staff() -> Caller {
    let scopes = [Scope::InventoryWrite].into_iter().collect();
    Caller::User { id: "staff-1".parse().unwrap(), is_staff: true, scopes }
}

fn function() -> Caller {
    Caller::Service { arn: "arn:aws:sts::123456789012:assumed-role/shop/reserve-inventory".to_owned() }
}

/// The lines of an order with these quantities of products at 12.50 EUR.
pub(crate) fn lines(quantities: &[(&str, u32)]) -> Value {
    let line = |(sku, quantity): &(&str, u32)| json!({"sku": sku, "quantity": quantity, "unit_price": {"amount": 1250, "currency": "EUR"}});
    json!(quantities.iter().map(line).collect::<Vec<_>>())
}

impl Service {
    pub(crate) fn new() -> Self {
        Self {
            tables: Arc::default(),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
            lost_requests: Arc::default(),
            lost_responses: Arc::default(),
        }
    }

    /// A service with this stock of each product, at 12.50 EUR.
    pub(crate) async fn with_stock(stock: &[(&str, u32)]) -> Self {
        let service = Self::new();
        for (sku, pieces) in stock {
            service
                .put(
                    &format!("/products/{sku}"),
                    json!({"name": "Tea", "price": {"amount": 1250, "currency": "EUR"}}),
                )
                .await;
            if *pieces > 0 {
                service.put(&format!("/products/{sku}/deliveries/first"), json!({"quantity": pieces})).await;
            }
        }
        service
    }

    fn router(&self) -> Router {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let api = Api {
            products: Arc::clone(&self.tables.inner) as Arc<dyn Products>,
            reservations: Arc::clone(&self.tables) as Arc<dyn Reservations>,
            clock: Arc::clone(&clock),
        };
        build_app(router(api), clock)
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> TestResponse {
        // The gateway authenticates staff for products, and functions for reservations.
        let caller = if path.starts_with("/products") { staff() } else { function() };
        self.call_as(caller, method, path, &[], body).await
    }

    pub(crate) async fn call_as(
        &self,
        caller: Caller,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> TestResponse {
        let mut request = Request::builder().method(method).uri(path).extension(caller);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let (parts, body) = self.router().oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let tag = parts.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        TestResponse { status: parts.status, tag, body }
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> TestResponse {
        self.call("PUT", path, Some(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.call("GET", path, None).await
    }

    pub(crate) async fn reserve(&self, order: u128, quantities: &[(&str, u32)]) -> TestResponse {
        self.put(&format!("/reservations/{}", order_id(order)), json!({"lines": lines(quantities)})).await
    }

    pub(crate) async fn settle(&self, order: u128, action: &str) -> TestResponse {
        self.call("POST", &format!("/reservations/{}/{action}", order_id(order)), None).await
    }

    /// The available, reserved and sold quantity of a product.
    pub(crate) async fn stock(&self, sku: &str) -> [u64; 3] {
        let product = self.get(&format!("/products/{sku}")).await.body;
        ["available", "held", "sold"].map(|counter| product[counter].as_u64().unwrap())
    }

    /// Runs a concurrent action before the next write.
    pub(crate) fn race(&self, race: impl FnOnce(Self) -> BoxFuture<'static, ()> + Send + 'static) {
        let service = self.clone();
        lock(&self.tables.races).push(Box::new(move || race(service)));
    }
}

/// Calls the service over HTTP, as its clients do.
#[async_trait]
impl HttpClient for Service {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let lost = |error: anyhow::Error| NoResponse { host: "inventory".to_owned(), source: error.into() };
        self.lost_requests.check("the request").map_err(lost)?;
        request.extensions_mut().insert(function());
        let (parts, body) = self.router().oneshot(request.map(Body::from)).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        self.lost_responses.check("the response").map_err(lost)?;
        Ok(Response::from_parts(parts, bytes))
    }
}
