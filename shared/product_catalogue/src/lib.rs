//! The inventory's products, as services that show them to customers read them: a port, its implementation
//! over the public API of the inventory, and one in memory for tests.

use async_trait::async_trait;
use domain::{ProductName, Sku, TaxRate};
use serde::Deserialize;

mod http_catalogue;
#[cfg(feature = "test-support")]
pub mod memory;

pub use http_catalogue::HttpCatalogue;

/// The data of a product that a customer is shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ProductInfo {
    pub name: ProductName,
    /// The tax rate, if it differs from the standard rate of the shop.
    #[serde(default)]
    pub tax_rate: Option<TaxRate>,
}

/// The product catalogue.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// Returns a product, or `None` if it does not exist any more.
    async fn product(&self, sku: &Sku, correlation_id: &str) -> anyhow::Result<Option<ProductInfo>>;
}
