//! The inventory's API, as its callers see it.

use async_trait::async_trait;
use bytes::Bytes;
use domain::reservation::Reservation;
use domain::{Lines, OrderId};
use http::{Method, Request, StatusCode, header};
use platform::http::client::HttpClient;
use serde_json::json;

/// Holds, sells and frees stock.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Holds stock for an order, or tells what was decided before.
    async fn reserve(
        &self,
        order: OrderId,
        lines: &Lines,
        correlation_id: &str,
    ) -> Result<Reservation, InventoryError>;
    /// Sells what is held for an order.
    async fn commit(&self, order: OrderId, correlation_id: &str) -> Result<Reservation, InventoryError>;
    /// Sets free what is held for an order.
    async fn release(&self, order: OrderId, correlation_id: &str) -> Result<Reservation, InventoryError>;
}

/// Why the inventory did not do it.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// It never will.
    #[error("the inventory refused ({status}): {detail}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// It may later, or has already.
    #[error(transparent)]
    Unknown(#[from] anyhow::Error),
}

impl From<InventoryError> for platform::Failure {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::Refused { .. } => Self::reject(error),
            InventoryError::Unknown(error) => Self::Retry(error),
        }
    }
}

/// The inventory over HTTP.
pub struct HttpInventory<C> {
    client: C,
    base: String,
}

impl<C: HttpClient> HttpInventory<C> {
    /// The API at `base`, such as `https://….execute-api.eu-central-1.amazonaws.com/v1`.
    pub fn new(client: C, base: &str) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned() }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        correlation_id: &str,
    ) -> Result<Reservation, InventoryError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-correlation-id", correlation_id)
            .body(body)
            .map_err(anyhow::Error::from)?;
        let answer = self.client.send(request).await.map_err(anyhow::Error::from)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(serde_json::from_slice(answer.body()).map_err(anyhow::Error::from)?);
        }
        let said: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let detail = said
            .get("detail")
            .or_else(|| said.get("message"))
            .and_then(|text| text.as_str())
            .unwrap_or("without a reason");
        match status {
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(InventoryError::Refused { status, detail: detail.to_owned() })
            }
            // 403 and 404 too: they come from a gateway that is being deployed, and are gone when that is done.
            _ => Err(InventoryError::Unknown(anyhow::anyhow!("the inventory answered {status}: {detail}"))),
        }
    }
}

#[async_trait]
impl<C: HttpClient> Inventory for HttpInventory<C> {
    async fn reserve(
        &self,
        order: OrderId,
        lines: &Lines,
        correlation_id: &str,
    ) -> Result<Reservation, InventoryError> {
        let body = json!({ "lines": lines }).to_string().into();
        self.call(Method::PUT, &format!("/reservations/{order}"), body, correlation_id).await
    }

    async fn commit(&self, order: OrderId, correlation_id: &str) -> Result<Reservation, InventoryError> {
        self.call(Method::POST, &format!("/reservations/{order}/commit"), Bytes::new(), correlation_id).await
    }

    async fn release(&self, order: OrderId, correlation_id: &str) -> Result<Reservation, InventoryError> {
        self.call(Method::POST, &format!("/reservations/{order}/release"), Bytes::new(), correlation_id).await
    }
}
