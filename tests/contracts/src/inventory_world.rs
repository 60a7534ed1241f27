//! The world of the contracts of products and reservations, which share the stock.

use std::sync::Arc;

use domain::{Money, Sku};
use inventory::product::Offer;
use inventory::store::{DeliveryOutcome, Products, Reservations};
use platform::http::Precondition;

use crate::check::same;
use crate::sample::{euros, name, sku};

/// An empty inventory.
#[derive(Clone)]
pub struct World {
    /// The product store.
    pub products: Arc<dyn Products>,
    /// The reservation store.
    pub reservations: Arc<dyn Reservations>,
}

impl World {
    /// Creates a product at 12.50 euros, and delivers `units` units of it.
    pub(crate) async fn create_product(&self, number: u32, units: u32) -> anyhow::Result<Sku> {
        let sku = sku(number)?;
        self.set_price(&sku, euros(1250)?).await?;
        let counted = self.products.record_delivery(&sku, &"stock".parse()?, units).await?;
        same("the first delivery", counted, DeliveryOutcome::Recorded)?;
        Ok(sku)
    }

    pub(crate) async fn set_price(&self, sku: &Sku, price: Money) -> anyhow::Result<()> {
        let offer = Offer { name: name()?, price, tax_rate: None };
        self.products.put(sku, &offer, Precondition::None).await.map(drop)
    }

    /// Fails unless the stock of a product is `stock`: available, held, sold.
    pub(crate) async fn ensure_stock(&self, sku: &Sku, stock: [u32; 3]) -> anyhow::Result<()> {
        let product = self.products.get(sku).await?;
        let counters = product.map(|product| [product.available, product.held, product.sold]);
        same(&format!("available, held and sold of {sku}"), counters, Some(stock))
    }
}
