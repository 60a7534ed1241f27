//! The ports to what the service keeps.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{DeliveryId, OrderId, Sku};
use platform::http::Precondition;

use crate::product::{Offer, Product};

/// A page of products, by SKU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// In no order that means anything.
    pub products: Vec<Product>,
    /// Where the next page starts behind, if there is one.
    pub next: Option<Sku>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is counted, now or before.
    Counted,
    /// A delivery of that name brought another quantity.
    OtherQuantity,
    /// There is no such product, or it would have more than can be counted.
    Refused,
}

/// Products and their stock.
#[async_trait]
pub trait Products: Send + Sync {
    /// One product.
    async fn get(&self, sku: &Sku) -> anyhow::Result<Option<Product>>;

    /// All products, at most `limit`, behind `after`.
    async fn list(&self, after: Option<&Sku>, limit: u32) -> anyhow::Result<Page>;

    /// Offers a product so, if `condition` holds of its revision; nothing where it does not. A new product has
    /// no stock and revision 1; one that is there keeps its stock and has the next revision.
    async fn put(&self, sku: &Sku, offer: &Offer, condition: Precondition)
    -> anyhow::Result<Option<Product>>;

    /// Adds a delivery to what is available, once, however often it is told.
    async fn deliver(&self, sku: &Sku, delivery: &DeliveryId, quantity: u32) -> anyhow::Result<Delivered>;
}

/// Reservations.
#[async_trait]
pub trait Reservations: Send + Sync {
    /// The reservation of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>>;

    /// Stock and price of each product that there is.
    async fn on_sale(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>>;

    /// Writes `new` in place of `read` and changes the stock, all or nothing. False, and nothing written, when
    /// the reservation is no longer as it was read, or the stock does not allow it.
    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool>;
}
