//! The inventory API over HTTP.

use async_trait::async_trait;
use bytes::Bytes;
use domain::reservation::Reservation;
use domain::{Lines, OrderId};
use http::{Method, Request, StatusCode, header};
use platform::http_client::HttpClient;
use serde_json::json;

use crate::client::{Inventory, InventoryError};

/// The client over HTTP.
pub struct HttpInventory<C> {
    client: C,
    base: String,
}

impl<C: HttpClient> HttpInventory<C> {
    /// A client of the API at `base`, such as `https://….execute-api.eu-central-1.amazonaws.com/v1`.
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
        let response = self.client.send(request).await.map_err(anyhow::Error::from)?;
        let status = response.status();
        if status.is_success() {
            return Ok(serde_json::from_slice(response.body()).map_err(anyhow::Error::from)?);
        }
        let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let detail = problem
            .get("detail")
            .or_else(|| problem.get("message"))
            .and_then(|text| text.as_str())
            .unwrap_or("no reason given");
        match status {
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(InventoryError::Rejected { status, detail: detail.to_owned() })
            }
            // Includes 403 and 404, which the gateway returns temporarily during a deployment.
            _ => Err(InventoryError::Unknown(anyhow::anyhow!(
                "the inventory service responded with {status}: {detail}"
            ))),
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
