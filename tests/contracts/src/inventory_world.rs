//! What the contracts of products and of reservations have in common: the stock that both look at.

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
    /// Its products.
    pub products: Arc<dyn Products>,
    /// Its reservations.
    pub reservations: Arc<dyn Reservations>,
}

impl World {
    /// The product of that number, at 12.50 euros, with so many pieces delivered.
    pub(crate) async fn product(&self, number: u32, pieces: u32) -> anyhow::Result<Sku> {
        let sku = sku(number)?;
        self.priced(&sku, euros(1250)?).await?;
        let counted = self.products.record_delivery(&sku, &"stock".parse()?, pieces).await?;
        same("the first delivery", counted, DeliveryOutcome::Recorded)?;
        Ok(sku)
    }

    pub(crate) async fn priced(&self, sku: &Sku, price: Money) -> anyhow::Result<()> {
        let offer = Offer { name: name()?, price, tax_rate: None };
        self.products.put(sku, &offer, Precondition::None).await.map(drop)
    }

    /// Fails unless the stock of a product is so: available, held, sold.
    pub(crate) async fn stock_is(&self, sku: &Sku, stock: [u32; 3]) -> anyhow::Result<()> {
        let product = self.products.get(sku).await?;
        let counters = product.map(|product| [product.available, product.held, product.sold]);
        same(&format!("available, held and sold of {sku}"), counters, Some(stock))
    }
}
