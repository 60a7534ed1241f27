//! The reasons why an order ends unpaid.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::AsRefStr;

use crate::id::Sku;
use crate::money::Money;

/// The reason why an order is not charged.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, AsRefStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum VoidReason {
    /// The customer cancelled the order.
    CustomerRequest,
    /// The order expired.
    Expired,
    /// Someone cancelled the PaymentIntent at the provider.
    Provider,
}

/// The reason why the provider declined the payment, as its codes (<https://docs.stripe.com/declines/codes>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct DeclineReason {
    /// The error code: `card_declined`, `expired_card`, `resource_missing`, …
    pub code: String,
    /// The decline code of the card issuer, if there is one: `insufficient_funds`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
}

/// A line that could not be reserved, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Shortage {
    /// The product.
    pub sku: Sku,
    /// The reason.
    #[serde(flatten)]
    pub kind: ShortageKind,
}

/// The reason why a line could not be reserved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ShortageKind {
    /// There is no product with this SKU.
    UnknownProduct,
    /// The available quantity is less than the ordered one.
    OutOfStock {
        /// The quantity that was available at the time of the check.
        available: u32,
    },
    /// The price is not the one in the order.
    PriceChanged {
        /// The current price of one piece.
        price: Money,
    },
}
