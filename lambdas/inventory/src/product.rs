//! What is sold.

use domain::reservation::ProductStock;
use domain::{Money, ProductName, Sku, TaxRate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most pieces of one product that are counted: far below where the counters would overflow.
pub const MOST_PIECES: u32 = 1_000_000_000;

/// What staff decide of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is called.
    pub name: ProductName,
    /// The price of one, with the tax.
    pub price: Money,
    /// The tax within the price, if it is not the shop's usual rate.
    pub tax_rate: Option<TaxRate>,
}

/// A product and its stock. `available + held + sold` is all that was ever delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// Which.
    pub sku: Sku,
    /// What it is called.
    pub name: ProductName,
    /// The price of one, with the tax.
    pub price: Money,
    /// The tax within the price, in hundredths of a percent: 1900 is 19 %. Left out where nobody said, and the shop's
    /// usual rate applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<TaxRate>,
    /// Goes up by one with each change of name, price or tax: what staff decide. Stock moves without it, so that a change
    /// need not be made again for each piece that is sold meanwhile.
    #[serde(default)]
    pub revision: u64,
    /// How many can be ordered.
    pub available: u32,
    /// How many are set aside for orders that are not paid yet.
    pub held: u32,
    /// How many are sold.
    pub sold: u32,
}

impl Product {
    /// What a reservation looks at.
    pub fn on_sale(&self) -> ProductStock {
        ProductStock { available: self.available, price: self.price }
    }
}
