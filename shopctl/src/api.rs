//! A client of the shop's API.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::http::Http;

/// The API of a deployed stack.
#[derive(Clone)]
pub struct Shop {
    http: Http,
    url: String,
    /// The header `Authorization`.
    bearer: String,
}

/// An order to place.
#[expect(missing_docs, reason = "the fields say it")]
pub struct NewOrder {
    /// SKUs and quantities.
    pub lines: Vec<(String, u32)>,
    /// Stripe's name of the card, such as `pm_card_visa`.
    pub payment_method: String,
    pub name: String,
    /// The address that receives the emails.
    pub email: String,
}

/// The part of an order that the tools use.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Order {
    pub id: String,
    pub status: String,
    pub placed_at: Timestamp,
}

/// The stock of a product, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Stock {
    pub available: i64,
    pub held: i64,
    pub sold: i64,
}

impl Shop {
    /// A client for this base URL that sends this access token.
    pub fn new(url: &str, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        Self { http: Http::default(), url: url.trim_end_matches('/').to_owned(), bearer }
    }

    /// The name and value of the header `Authorization`.
    pub fn authorization(&self) -> (&'static str, &str) {
        ("authorization", &self.bearer)
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Places an order at the catalogue's prices.
    pub fn place(&self, order: &NewOrder) -> anyhow::Result<Order> {
        let lines = order
            .lines
            .iter()
            .map(|(sku, quantity)| {
                let product = self.product(sku)?;
                let price = product.get("price").with_context(|| format!("product {sku} has no price"))?;
                Ok(json!({ "sku": sku, "quantity": quantity, "unit_price": price }))
            })
            .collect::<anyhow::Result<Vec<Value>>>()?;
        let body = json!({
            "customer": { "id": "cust-demo", "name": order.name, "email": order.email },
            "payment_method": order.payment_method,
            "lines": lines,
        });
        let key = format!("shopctl-{:016x}", random()?);
        let url = format!("{}/orders", self.url);
        let response = self
            .http
            .post(&url, &[("idempotency-key", &key), self.authorization()], &body)?
            .success("placing the order")?;
        Order::read(&response)
    }

    /// Reads an order.
    pub fn order(&self, id: &str) -> anyhow::Result<Order> {
        let url = format!("{}/orders/{id}", self.url);
        Order::read(
            &self.http.get_with(&url, &[self.authorization()])?.success(&format!("reading order {id}"))?,
        )
    }

    /// Reads the stock of a product.
    pub fn stock(&self, sku: &str) -> anyhow::Result<Stock> {
        let product = self.product(sku)?;
        let count = |key| {
            product.get(key).and_then(Value::as_i64).with_context(|| format!("product {sku} has no `{key}`"))
        };
        Ok(Stock { available: count("available")?, held: count("held")?, sold: count("sold")? })
    }

    /// Creates a product, or changes its name and price.
    pub fn put_product(&self, sku: &str, name: &str, cents: u32) -> anyhow::Result<()> {
        let url = format!("{}/products/{sku}", self.url);
        let body = json!({ "name": name, "price": { "amount": cents, "currency": "EUR" } });
        self.http
            .put(&url, &[self.authorization()], &body)?
            .success(&format!("creating product {sku}"))
            .map(drop)
    }

    /// Records a delivery of stock, once per delivery id.
    pub fn record_delivery(&self, sku: &str, delivery_id: &str, quantity: u32) -> anyhow::Result<()> {
        let url = format!("{}/products/{sku}/deliveries/{delivery_id}", self.url);
        let body = json!({ "quantity": quantity });
        self.http
            .put(&url, &[self.authorization()], &body)?
            .success(&format!("recording a delivery of {sku}"))
            .map(drop)
    }

    fn product(&self, sku: &str) -> anyhow::Result<Value> {
        self.http.get(&format!("{}/products/{sku}", self.url))?.success(&format!("reading product {sku}"))
    }
}

impl Order {
    fn read(body: &Value) -> anyhow::Result<Self> {
        let text = |key| {
            body.get(key)
                .and_then(Value::as_str)
                .with_context(|| format!("the API's order has no `{key}`: {body}"))
        };
        Ok(Self {
            id: text("id")?.to_owned(),
            status: text("status")?.to_owned(),
            placed_at: text("placed_at")?.parse().context("`placed_at` of the order is not a timestamp")?,
        })
    }

    /// Whether the status can no longer change.
    pub fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "rejected" | "payment_failed" | "cancelled" | "expired")
    }
}

/// A random number from the operating system.
pub fn random() -> anyhow::Result<u64> {
    Ok(getrandom::u64()?)
}
