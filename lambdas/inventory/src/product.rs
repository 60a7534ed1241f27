//! Products and their stock.

use domain::reservation::ProductStock;
use domain::{Money, ProductName, Sku, TaxRate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The maximum number of available pieces of a product, far below where the counters would overflow.
pub const MAX_STOCK: u32 = 1_000_000_000;

/// The part of a product that staff edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The name of the product.
    pub name: ProductName,
    /// The price of one piece, including tax.
    pub price: Money,
    /// The rate of the tax included in the price, if it is not the shop's standard rate.
    pub tax_rate: Option<TaxRate>,
}

/// A product and its stock. `available + held + sold` is the total of all deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// The SKU of the product.
    pub sku: Sku,
    /// The name of the product.
    pub name: ProductName,
    /// The price of one piece, including tax.
    pub price: Money,
    /// The rate of the tax included in the price, in basis points: 1900 is 19 %. Absent if the shop's
    /// standard rate applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<TaxRate>,
    /// Incremented by each change of name, price or tax rate. Stock changes do not increment it, so that a
    /// sale does not invalidate an edit in progress.
    #[serde(default)]
    pub revision: u64,
    /// The quantity that is available to order.
    pub available: u32,
    /// The quantity that is reserved for orders that are not paid yet.
    pub held: u32,
    /// The quantity that has been sold.
    pub sold: u32,
}

impl Product {
    /// The stock and price on which a reservation is decided.
    pub fn stock(&self) -> ProductStock {
        ProductStock { available: self.available, price: self.price }
    }
}
