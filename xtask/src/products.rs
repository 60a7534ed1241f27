//! What the local shop sells.

use crate::api::Shop;

/// A product of the demonstration.
pub(crate) struct Product {
    pub(crate) sku: &'static str,
    pub(crate) name: &'static str,
    /// The price in euro cents.
    pub(crate) cents: u32,
    /// How many there are at the start.
    pub(crate) stock: u32,
}

pub(crate) const TEA: Product = Product { sku: "TEA-001", name: "Sencha, 100 g", cents: 1250, stock: 100 };
pub(crate) const MUG: Product = Product { sku: "MUG-001", name: "Stoneware mug", cents: 1800, stock: 40 };
pub(crate) const POT: Product = Product { sku: "POT-001", name: "Cast-iron teapot", cents: 6400, stock: 3 };

/// Adds the products with their opening stock. Doing it again changes nothing.
pub(crate) fn put_in(shop: &Shop) -> anyhow::Result<()> {
    for product in [TEA, MUG, POT] {
        shop.put_product(product.sku, product.name, product.cents)?;
        shop.deliver(product.sku, "opening-stock", product.stock)?;
    }
    Ok(())
}
