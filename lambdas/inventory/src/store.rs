//! The ports to the stores of the service.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{DeliveryId, OrderId, Sku};
use platform::http::Precondition;

use crate::product::{Offer, Product};

/// A page of products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The products, in no particular order.
    pub products: Vec<Product>,
    /// The last product of this page, if there are more pages.
    pub next: Option<Sku>,
}

/// The result of recording a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The delivery is recorded: by this call or an earlier one.
    Recorded,
    /// The delivery was recorded before with another quantity.
    QuantityMismatch,
    /// The product does not exist, or its stock would exceed [`MAX_STOCK`](crate::product::MAX_STOCK).
    Rejected,
}

/// The store of products and their stock.
#[async_trait]
pub trait Products: Send + Sync {
    /// Gets a product.
    async fn get(&self, sku: &Sku) -> anyhow::Result<Option<Product>>;

    /// Lists at most `limit` products, starting after `after`.
    async fn list(&self, after: Option<&Sku>, limit: u32) -> anyhow::Result<Page>;

    /// Creates or updates a product, if its revision meets `condition`; otherwise returns `None`. A new
    /// product has no stock and revision 1; an existing one keeps its stock and gets the next revision.
    async fn put(&self, sku: &Sku, offer: &Offer, condition: Precondition)
    -> anyhow::Result<Option<Product>>;

    /// Adds a delivery to the available stock. A delivery with the same id is added only once.
    async fn record_delivery(
        &self,
        sku: &Sku,
        delivery: &DeliveryId,
        quantity: u32,
    ) -> anyhow::Result<DeliveryOutcome>;
}

/// The store of reservations.
#[async_trait]
pub trait Reservations: Send + Sync {
    /// Gets the reservation of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>>;

    /// Loads the stock and price of those products that exist.
    async fn load_stock(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>>;

    /// Replaces `read` by `new` and changes the stock in one transaction. Returns false and writes nothing if
    /// the reservation has changed since it was read, or the stock does not suffice.
    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool>;
}
