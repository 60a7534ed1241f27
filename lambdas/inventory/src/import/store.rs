//! The ports of an import: the stock, the checkpoints and the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::{DeliveryId, Sku};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::progress::Import;
use super::row::RowError;
use crate::product::{MAX_STOCK, Offer, Product};

/// Records that a row of a file has been processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupMarker {
    /// The quantity of the row; 0 if it was rejected.
    pub quantity: u32,
    /// The line number of the row. 0 for a delivery that was recorded through the API.
    #[serde(default)]
    pub line: u64,
    /// The key of the file in which the row was first processed.
    #[serde(default)]
    pub file: String,
    /// The reason why the row was rejected, if it was.
    #[serde(rename = "refused", default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<RowError>,
}

/// The current state of a product: its data, and the marker that a file has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CurrentState {
    /// The product, if it exists.
    pub product: Option<Product>,
    /// The marker, if a row of the file has been processed for this product.
    pub marker: Option<DedupMarker>,
}

/// A marker to write, and the change of the product that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The product that the row is about.
    pub sku: Sku,
    /// The marker, which must not exist yet.
    pub marker: DedupMarker,
    /// The change of the product. `None` if the row is rejected.
    pub product: Option<ProductChange>,
}

/// A change of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductChange {
    /// The revision that the product must still have; `None` if it must not exist.
    pub expected_revision: Option<u64>,
    /// The new name, price and tax rate, if they change.
    pub offer: Option<Offer>,
    /// The quantity to add to the available stock.
    pub quantity: u32,
}

impl ProductChange {
    /// Applies the change. Returns `None` if the stock would exceed [`MAX_STOCK`], or if a new product has no
    /// offer.
    pub fn apply_to(&self, sku: &Sku, current: Option<&Product>) -> Option<Product> {
        let available = current.map_or(0, |product| product.available).checked_add(self.quantity)?;
        if available > MAX_STOCK {
            return None;
        }
        let Some(offer) = &self.offer else { return Some(Product { available, ..current?.clone() }) };
        Some(Product {
            sku: sku.clone(),
            name: offer.name.clone(),
            price: offer.price,
            tax_rate: offer.tax_rate,
            revision: current.map_or(0, |product| product.revision).saturating_add(1),
            available,
            held: current.map_or(0, |product| product.held),
            sold: current.map_or(0, |product| product.sold),
        })
    }
}

/// The store of products and deduplication markers.
#[async_trait]
pub trait Stock: Send + Sync {
    /// Reads the products of at most [`BATCH_SIZE`](super::apply::BATCH_SIZE) distinct SKUs, and the markers of this file.
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>>;

    /// Writes changes of distinct products in one transaction. Returns false and writes nothing if a product
    /// that a change affects has changed since it was read, would exceed [`MAX_STOCK`], or has a marker.
    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool>;
}

/// The store of imports.
#[async_trait]
pub trait Imports: Send + Sync {
    /// Gets an import.
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>>;

    /// Writes an import if the stored one has the version `read`, or if none is stored and `read` is `None`.
    /// Otherwise, returns false and writes nothing.
    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool>;
}

/// The queue that triggers the function, to which a run sends a message to be resumed.
#[async_trait]
pub trait ResumeQueue: Send + Sync {
    /// Sends a message, which becomes visible after `delay`.
    async fn send(&self, message: &Value, delay: Duration) -> anyhow::Result<()>;
}
