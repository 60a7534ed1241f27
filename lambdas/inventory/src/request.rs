//! What clients send, checked field by field.

use domain::{Lines, ProductName, TaxRate};
use platform::http::input::{LineInput, MoneyInput, parse_lines};
use platform::http::{FieldError, Problem};
use schemars::JsonSchema;

use crate::product::Offer;

/// The most pieces that one delivery brings.
pub(crate) const LARGEST_DELIVERY: u32 = 1_000_000;

/// The body of `PUT /products/{sku}`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutProduct {
    /// What it is called.
    #[eserde(compat)]
    name: ProductName,
    /// The price of one, with the tax.
    price: MoneyInput,
    /// The tax within the price, in hundredths of a percent: 1900 is 19 %. The shop's usual rate, where it is left out.
    #[eserde(compat)]
    #[serde(default)]
    tax_rate: Option<TaxRate>,
}

impl From<PutProduct> for Offer {
    fn from(put: PutProduct) -> Self {
        Self { name: put.name, price: put.price.into(), tax_rate: put.tax_rate }
    }
}

/// The body of `PUT /products/{sku}/deliveries/{delivery_id}`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutDelivery {
    /// How many pieces it brings.
    #[schemars(range(min = 1, max = 1_000_000))]
    quantity: u32,
}

impl PutDelivery {
    pub(crate) fn quantity(&self) -> Result<u32, Problem> {
        if (1..=LARGEST_DELIVERY).contains(&self.quantity) {
            return Ok(self.quantity);
        }
        let why = format!("must be 1 to {LARGEST_DELIVERY} pieces, is {}", self.quantity);
        Err(Problem::invalid(vec![FieldError::pointer("/quantity", why)]))
    }
}

/// The body of `PUT /reservations/{order_id}`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutReservation {
    /// What to set aside, each product once.
    #[schemars(length(min = 1, max = 50))]
    lines: Vec<LineInput>,
}

impl PutReservation {
    pub(crate) fn lines(self) -> Result<Lines, Problem> {
        parse_lines(self.lines)
    }
}
