//! The contents of an order: what was ordered, by whom, and how it is paid.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::customer::Customer;
use crate::id::{PaymentMethodId, Sku};
use crate::money::{Money, MoneyError};
use crate::text::InvalidText;

/// The maximum number of lines in an order. A reservation changes the stock of all lines in one DynamoDB
/// transaction, which is limited to 100 items; half of that leaves headroom, and keeps an event far below 256
/// KB.
pub const MAX_LINES: usize = 50;
/// The maximum quantity of a product in an order.
pub const MAX_QUANTITY: u32 = 999;

/// A quantity of a product, 1 to [`MAX_QUANTITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "u32")]
#[schemars(with = "u32", extend("minimum" = 1, "maximum" = MAX_QUANTITY))]
pub struct Quantity(u32);

impl Quantity {
    /// Returns the quantity as a number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidText;
    fn try_from(pieces: i64) -> Result<Self, Self::Error> {
        u32::try_from(pieces)
            .ok()
            .filter(|pieces| (1..=MAX_QUANTITY).contains(pieces))
            .map(Self)
            .ok_or_else(|| InvalidText(format!("must be 1 to {MAX_QUANTITY} pieces, is {pieces}")))
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

/// A line of an order: a quantity of a product at the price that the customer was shown. The inventory
/// reserves stock only at its current price, so an order with an invented price is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The SKU of the product.
    pub sku: Sku,
    /// The ordered quantity.
    pub quantity: Quantity,
    /// The price of one piece.
    pub unit_price: Money,
}

/// The lines of an order: 1 to [`MAX_LINES`], each product at most once, all in one currency, with a total of
/// at most [`crate::money::MAX_AMOUNT`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Line>", into = "Vec<Line>")]
#[schemars(with = "Vec<Line>", extend("minItems" = 1, "maxItems" = MAX_LINES))]
pub struct Lines {
    lines: Vec<Line>,
    total: Money,
}

/// The reason why a list of lines is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    /// There are no lines, or more than [`MAX_LINES`].
    #[error("must have 1 to {MAX_LINES} lines, has {0}")]
    Count(usize),
    /// Two lines name the same product.
    #[error("must name each product once, names {0} twice: add up the quantities")]
    Duplicate(Sku),
    /// The total could not be calculated: the currencies differ, or it is too large.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Lines {
    /// Iterates over the lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Line> {
        self.lines.iter()
    }

    /// Returns the total price of all lines.
    pub fn total(&self) -> Money {
        self.total
    }
}

impl TryFrom<Vec<Line>> for Lines {
    type Error = InvalidLines;

    fn try_from(lines: Vec<Line>) -> Result<Self, Self::Error> {
        if lines.len() > MAX_LINES {
            return Err(InvalidLines::Count(lines.len()));
        }
        let mut seen = BTreeSet::new();
        let mut total: Option<Money> = None;
        for line in &lines {
            if !seen.insert(&line.sku) {
                return Err(InvalidLines::Duplicate(line.sku.clone()));
            }
            let price = line.unit_price.checked_mul(line.quantity.get())?;
            total = Some(match total {
                Some(sum) => sum.checked_add(price)?,
                None => price,
            });
        }
        let total = total.ok_or(InvalidLines::Count(0))?;
        Ok(Self { lines, total })
    }
}

impl From<Lines> for Vec<Line> {
    fn from(lines: Lines) -> Self {
        lines.lines
    }
}

/// The details of an order. Events carry them in full, so that consumers need not query the order service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawDetails")]
pub struct OrderDetails {
    /// The customer who placed the order.
    pub customer: Customer,
    /// The ordered products.
    pub lines: Lines,
    /// The total price: the sum of the lines.
    pub total: Money,
    /// The payment method to charge.
    pub payment_method: PaymentMethodId,
    /// The time at which the order was placed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub placed_at: Timestamp,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "OrderDetails")]
struct RawDetails {
    customer: Customer,
    lines: Lines,
    total: Money,
    payment_method: PaymentMethodId,
    #[schemars(with = "String", extend("format" = "date-time"))]
    placed_at: Timestamp,
}

impl TryFrom<RawDetails> for OrderDetails {
    type Error = InvalidText;

    fn try_from(raw: RawDetails) -> Result<Self, Self::Error> {
        if raw.total != raw.lines.total() {
            return Err(InvalidText(format!(
                "the total must be the sum of the lines, {}, is {}",
                raw.lines.total(),
                raw.total
            )));
        }
        Ok(Self::new(raw.customer, raw.lines, raw.payment_method, raw.placed_at))
    }
}

impl OrderDetails {
    /// Creates the details of an order. The total is calculated from the lines.
    pub fn new(
        customer: Customer,
        lines: Lines,
        payment_method: PaymentMethodId,
        placed_at: Timestamp,
    ) -> Self {
        Self { customer, total: lines.total(), lines, payment_method, placed_at }
    }
}
