//! The shop's API, as a customer's program uses it.
//!
//! The token has the scope `health/check`, which opens the routes that this uses and no others, and there the synthetic
//! customer's orders alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use domain::order::OrderStatus;
use domain::{OrderId, SYNTHETIC_CUSTOMER_ID, Sku};
use http::{Method, Request, StatusCode, header};
use jiff::Timestamp;
use platform::Clock;
use platform::http::client::HttpClient;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

/// A product that there never is, so that no order for it is ever charged.
const NO_PRODUCT: &str = "synthetic-check";
/// A mailbox of SES's own, which takes every mail and reads none
/// (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-test-email>).
const MAILBOX: &str = "success@simulator.amazonses.com";

/// An order of the synthetic customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SyntheticOrder {
    /// Which.
    pub id: OrderId,
    /// What has become of it.
    pub status: OrderStatus,
    /// Since when it is there.
    pub placed_at: Timestamp,
}

/// What a customer can do.
#[async_trait]
pub trait Shop: Send + Sync {
    /// Signs in, if that was not done lately. All that follows is done so.
    async fn sign_in(&self) -> anyhow::Result<()>;

    /// One of the products, if there is any.
    async fn some_product(&self) -> anyhow::Result<Option<Sku>>;

    /// Reads a product.
    async fn read_product(&self, sku: &Sku) -> anyhow::Result<()>;

    /// Places an order that can only be rejected. The same key places it once.
    async fn place_order(&self, key: &str) -> anyhow::Result<OrderId>;

    /// What has become of an order.
    async fn status(&self, order: OrderId) -> anyhow::Result<OrderStatus>;

    /// The latest orders that were placed so, the newest first.
    async fn orders(&self) -> anyhow::Result<Vec<SyntheticOrder>>;
}

/// The client that signs in.
pub struct Client {
    /// Its id.
    pub id: String,
    /// Where tokens are given out.
    pub token_url: String,
}

/// Where the client's secret is.
#[async_trait]
pub trait ClientSecret: Send + Sync {
    /// The secret.
    async fn read(&self) -> anyhow::Result<SecretString>;
}

/// The shop over HTTP.
pub struct HttpShop<C, S> {
    http: C,
    secret: S,
    client: Client,
    base: String,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<KeptToken>>,
}

/// Cognito takes money for each token that it gives a program, so one is used for half of its time.
#[derive(Clone)]
struct KeptToken {
    token: SecretString,
    until: Duration,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Products {
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Product {
    sku: Sku,
}

#[derive(Deserialize)]
struct Orders {
    orders: Vec<SyntheticOrder>,
}

#[derive(Deserialize)]
struct PlacedOrder {
    id: OrderId,
}

#[derive(Deserialize)]
struct Followed {
    status: OrderStatus,
}

impl<C: HttpClient, S: ClientSecret> HttpShop<C, S> {
    /// The API at `base`, such as `https://….execute-api.eu-central-1.amazonaws.com/v1`.
    pub fn new(http: C, secret: S, client: Client, base: &str, clock: Arc<dyn Clock>) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { http, secret, client, base, clock, kept: Mutex::default() }
    }

    fn kept(&self) -> Option<KeptToken> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, token: Option<KeptToken>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(KeptToken { token, .. }) = self.kept() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        self.send(request.body(body)?).await
    }

    async fn send<T: for<'a> Deserialize<'a>>(&self, request: Request<Bytes>) -> anyhow::Result<T> {
        let path = request.uri().path().to_owned();
        let answer = self.http.send(request).await?;
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            self.keep(None);
        }
        anyhow::ensure!(
            status == StatusCode::OK || status == StatusCode::CREATED,
            "{path} answered {status}"
        );
        serde_json::from_slice(answer.body()).map_err(|error| {
            let error = platform::telemetry::redact_values(&error.to_string());
            anyhow::anyhow!("what {path} answered is not understood: {error}")
        })
    }
}

#[async_trait]
impl<C: HttpClient, S: ClientSecret> Shop for HttpShop<C, S> {
    async fn sign_in(&self) -> anyhow::Result<()> {
        if self.kept().is_some_and(|kept| self.clock.elapsed() < kept.until) {
            return Ok(());
        }
        let secret = self.secret.read().await?;
        let basic = BASE64_STANDARD.encode(format!("{}:{}", self.client.id, secret.expose_secret()));
        let request = Request::post(&self.client.token_url)
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from_static(b"grant_type=client_credentials"))?;
        let token: Token = self.send(request).await.context("no access token")?;
        let until = self.clock.elapsed().saturating_add(Duration::from_secs(token.expires_in / 2));
        self.keep(Some(KeptToken { token: SecretString::from(token.access_token), until }));
        Ok(())
    }

    async fn some_product(&self) -> anyhow::Result<Option<Sku>> {
        let page: Products = self.ask(Method::GET, "/products?limit=1", None, None).await?;
        Ok(page.products.into_iter().next().map(|product| product.sku))
    }

    async fn read_product(&self, sku: &Sku) -> anyhow::Result<()> {
        let product: Product = self.ask(Method::GET, &format!("/products/{sku}"), None, None).await?;
        anyhow::ensure!(product.sku == *sku, "it is another product");
        Ok(())
    }

    async fn place_order(&self, key: &str) -> anyhow::Result<OrderId> {
        let body = json!({
            "customer": { "id": SYNTHETIC_CUSTOMER_ID, "name": "Synthetic check", "email": MAILBOX },
            "payment_method": "pm_none",
            "lines": [{ "sku": NO_PRODUCT, "quantity": 1, "unit_price": { "amount": 1, "currency": "EUR" } }],
        });
        let placed: PlacedOrder = self.ask(Method::POST, "/orders", Some(key), Some(body)).await?;
        Ok(placed.id)
    }

    async fn status(&self, order: OrderId) -> anyhow::Result<OrderStatus> {
        let followed: Followed = self.ask(Method::GET, &format!("/orders/{order}"), None, None).await?;
        Ok(followed.status)
    }

    async fn orders(&self) -> anyhow::Result<Vec<SyntheticOrder>> {
        let path = format!("/orders?customer_id={SYNTHETIC_CUSTOMER_ID}&limit=100");
        let page: Orders = self.ask(Method::GET, &path, None, None).await?;
        Ok(page.orders)
    }
}
