//! Request bodies and their validation.

use domain::{Lines, ProductName, TaxRate};
use platform::http::input::{LineInput, MoneyInput, TextInput, parse_lines};
use platform::http::{FieldError, Problem};
use schemars::JsonSchema;

use crate::product::Offer;

/// The maximum quantity of one delivery.
pub(crate) const MAX_DELIVERY_QUANTITY: u32 = 1_000_000;

/// The body of `PUT /products/{sku}`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutProduct {
    /// The name of the product.
    #[eserde(compat)]
    name: TextInput<ProductName>,
    /// The price of one piece, including tax.
    price: MoneyInput,
    /// The rate of the tax included in the price, in basis points: 1900 is 19 %. The default is the shop's
    /// standard rate.
    #[eserde(compat)]
    #[serde(default)]
    tax_rate: Option<TaxRate>,
}

impl From<PutProduct> for Offer {
    fn from(put: PutProduct) -> Self {
        Self { name: put.name.0, price: put.price.into(), tax_rate: put.tax_rate }
    }
}

/// The body of `PUT /products/{sku}/deliveries/{delivery_id}`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutDelivery {
    /// The number of pieces delivered.
    #[schemars(range(min = 1, max = 1_000_000))]
    quantity: u32,
}

impl PutDelivery {
    pub(crate) fn quantity(&self) -> Result<u32, Problem> {
        if (1..=MAX_DELIVERY_QUANTITY).contains(&self.quantity) {
            return Ok(self.quantity);
        }
        let reason = format!("must be 1 to {MAX_DELIVERY_QUANTITY} pieces, is {}", self.quantity);
        Err(Problem::invalid(vec![FieldError::pointer("/quantity", reason)]))
    }
}

/// The body of `PUT /reservations/{order_id}`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutReservation {
    /// The lines to reserve, with each product at most once.
    #[schemars(length(min = 1, max = 50))]
    lines: Vec<LineInput>,
}

impl PutReservation {
    pub(crate) fn lines(self) -> Result<Lines, Problem> {
        parse_lines(self.lines)
    }
}
