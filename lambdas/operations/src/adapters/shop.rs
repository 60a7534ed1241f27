//! A client of the shop's API.
//!
//! The token has the scope `health/check`, which authorizes only the routes that are used here, and only
//! orders of the synthetic customer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_secrets::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use domain::order::OrderStatus;
use domain::{OrderId, SYNTHETIC_CUSTOMER_ID, Sku};
use http::{Method, Request, StatusCode, header};
use platform::http_client::HttpClient;
use platform::{Clock, lock};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::shop::{ClientSecret, Shop, SyntheticOrder};

/// A SKU that never exists, so that no order for it is ever charged.
const UNKNOWN_SKU: &str = "synthetic-check";
/// An address of the SES mailbox simulator, which accepts every email and discards it
/// (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-test-email>).
const SIMULATOR_ADDRESS: &str = "success@simulator.amazonses.com";

/// An OAuth client with the client credentials grant.
pub struct OAuthClient {
    /// The client id.
    pub id: String,
    /// The URL of the token endpoint.
    pub token_url: String,
}

/// A client of the shop over HTTP.
pub struct HttpShop<C, S> {
    http: C,
    secret: S,
    client: OAuthClient,
    base: String,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<CachedToken>>,
}

/// An access token. Cognito charges for each machine-to-machine token, so one is reused for half of its
/// lifetime.
#[derive(Clone)]
struct CachedToken {
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
struct OrderState {
    status: OrderStatus,
}

impl<C: HttpClient, S: ClientSecret> HttpShop<C, S> {
    /// A client of the API at `base`, such as `https://….execute-api.eu-central-1.amazonaws.com/v1`.
    pub fn new(http: C, secret: S, client: OAuthClient, base: &str, clock: Arc<dyn Clock>) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { http, secret, client, base, clock, token: Mutex::default() }
    }

    fn cached_token(&self) -> Option<CachedToken> {
        lock(&self.token).clone()
    }

    fn cache_token(&self, token: Option<CachedToken>) {
        *lock(&self.token) = token;
    }

    async fn call<T: for<'a> Deserialize<'a>>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(CachedToken { token, .. }) = self.cached_token() {
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
        let response = self.http.send(request).await?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            self.cache_token(None);
        }
        anyhow::ensure!(
            status == StatusCode::OK || status == StatusCode::CREATED,
            "{path} responded with {status}"
        );
        serde_json::from_slice(response.body()).map_err(|error| {
            let error = platform::redact_values(&error.to_string());
            anyhow::anyhow!("the response of {path} cannot be parsed: {error}")
        })
    }
}

#[async_trait]
impl<C: HttpClient, S: ClientSecret> Shop for HttpShop<C, S> {
    async fn sign_in(&self) -> anyhow::Result<()> {
        if self.cached_token().is_some_and(|cached| self.clock.elapsed() < cached.until) {
            return Ok(());
        }
        let secret = self.secret.read().await?;
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", self.client.id, secret.expose_secret()));
        let request = Request::post(&self.client.token_url)
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from_static(b"grant_type=client_credentials"))?;
        let token: Token = self.send(request).await.context("no access token was issued")?;
        let until = self.clock.elapsed().saturating_add(Duration::from_secs(token.expires_in / 2));
        self.cache_token(Some(CachedToken { token: SecretString::from(token.access_token), until }));
        Ok(())
    }

    async fn any_product(&self) -> anyhow::Result<Option<Sku>> {
        let page: Products = self.call(Method::GET, "/products?limit=1", None, None).await?;
        Ok(page.products.into_iter().next().map(|product| product.sku))
    }

    async fn read_product(&self, sku: &Sku) -> anyhow::Result<()> {
        let product: Product = self.call(Method::GET, &format!("/products/{sku}"), None, None).await?;
        anyhow::ensure!(product.sku == *sku, "the response is about another product");
        Ok(())
    }

    async fn place_order(&self, key: &str) -> anyhow::Result<OrderId> {
        let body = json!({
            "customer": { "id": SYNTHETIC_CUSTOMER_ID, "name": "Synthetic check", "email": SIMULATOR_ADDRESS },
            "payment_method": "pm_none",
            "lines": [{ "sku": UNKNOWN_SKU, "quantity": 1, "unit_price": { "amount": 100, "currency": "EUR" } }],
        });
        let placed: PlacedOrder = self.call(Method::POST, "/orders", Some(key), Some(body)).await?;
        Ok(placed.id)
    }

    async fn order_status(&self, order: OrderId) -> anyhow::Result<OrderStatus> {
        let order_state: OrderState = self.call(Method::GET, &format!("/orders/{order}"), None, None).await?;
        Ok(order_state.status)
    }

    async fn latest_orders(&self) -> anyhow::Result<Vec<SyntheticOrder>> {
        let path = format!("/orders?customer_id={SYNTHETIC_CUSTOMER_ID}&limit=100");
        let page: Orders = self.call(Method::GET, &path, None, None).await?;
        Ok(page.orders)
    }
}

#[async_trait]
impl ClientSecret for Secret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        // The secret is read each time: for a function that runs every five minutes a cache saves nothing.
        self.invalidate();
        self.get().await
    }
}
