//! The port to the API of the shop, which the health check uses as the client of a customer does.

use async_trait::async_trait;
use domain::order::OrderStatus;
use domain::{OrderId, Sku};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

/// An order of the synthetic customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SyntheticOrder {
    /// The id of the order.
    pub id: OrderId,
    /// The current status.
    pub status: OrderStatus,
    /// The time at which the order was placed.
    pub placed_at: Timestamp,
}

/// The operations of a customer.
#[async_trait]
pub trait Shop: Send + Sync {
    /// Gets an access token unless a recent one is cached. All other calls use it.
    async fn sign_in(&self) -> anyhow::Result<()>;

    /// Returns a product, if there is any.
    async fn any_product(&self) -> anyhow::Result<Option<Sku>>;

    /// Reads a product.
    async fn read_product(&self, sku: &Sku) -> anyhow::Result<()>;

    /// Places an order that can only be rejected. Calls with the same idempotency key place it once.
    async fn place_order(&self, key: &str) -> anyhow::Result<OrderId>;

    /// Returns the status of an order.
    async fn order_status(&self, order: OrderId) -> anyhow::Result<OrderStatus>;

    /// Returns the latest orders of the synthetic customer, newest first.
    async fn latest_orders(&self) -> anyhow::Result<Vec<SyntheticOrder>>;
}

/// The source of the client secret.
#[async_trait]
pub trait ClientSecret: Send + Sync {
    /// Reads the client secret.
    async fn read(&self) -> anyhow::Result<SecretString>;
}
