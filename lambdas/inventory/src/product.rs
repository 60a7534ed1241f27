//! What is sold.

use domain::reservation::OnSale;
use domain::{Money, ProductName, Sku};
use serde::{Deserialize, Serialize};

/// A product and its stock. `available + held + sold` is all that was ever delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Which.
    pub sku: Sku,
    /// What it is called.
    pub name: ProductName,
    /// The price of one.
    pub price: Money,
    /// How many can be ordered.
    pub available: u32,
    /// How many are set aside for orders that are not paid yet.
    pub held: u32,
    /// How many are sold.
    pub sold: u32,
}

impl Product {
    /// What a reservation looks at.
    pub fn on_sale(&self) -> OnSale {
        OnSale { available: self.available, price: self.price }
    }
}
