//! The products of the local shop.

use shopctl::api::Shop;

/// A product of the local shop.
pub(crate) struct Product {
    pub(crate) sku: &'static str,
    pub(crate) name: &'static str,
    /// The price in euro cents.
    pub(crate) cents: u32,
    /// The opening stock.
    pub(crate) stock: u32,
}

pub(crate) const TEA: Product = Product { sku: "TEA-001", name: "Sencha, 100 g", cents: 1250, stock: 100 };
pub(crate) const MUG: Product = Product { sku: "MUG-001", name: "Stoneware mug", cents: 1800, stock: 40 };
pub(crate) const POT: Product = Product { sku: "POT-001", name: "Cast-iron teapot", cents: 6400, stock: 3 };

/// Creates the products with their opening stock. Calling it again changes nothing.
pub(crate) fn create_all(shop: &Shop) -> anyhow::Result<()> {
    for product in [TEA, MUG, POT] {
        shop.put_product(product.sku, product.name, product.cents)?;
        shop.record_delivery(product.sku, "opening-stock", product.stock)?;
    }
    Ok(())
}
