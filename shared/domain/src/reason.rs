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

/// The reason why the provider declined the payment, as its codes (<https://docs.stripe.com/error-codes>,
/// <https://docs.stripe.com/declines/codes>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct DeclineReason {
    /// The error code: `card_declined`, `expired_card`, `resource_missing`, `amount_too_small`, … If the
    /// provider gives none, it is the type of the error, such as `invalid_request_error`. The codes
    /// `currency_not_supported` and `amount_not_supported` are the shop's own.
    pub code: String,
    /// The decline code of the card issuer, if there is one: `insufficient_funds`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
}

impl DeclineReason {
    /// The amount is below what the provider charges. Only it knows the limit if it converts the amount into
    /// another currency.
    pub const AMOUNT_TOO_SMALL: &str = "amount_too_small";
    /// The amount is above what the provider charges.
    pub const AMOUNT_TOO_LARGE: &str = "amount_too_large";
    /// The provider does not charge amounts with these decimal places.
    pub const AMOUNT_NOT_SUPPORTED: &str = "amount_not_supported";
    /// The provider does not charge in the currency.
    pub const CURRENCY_NOT_SUPPORTED: &str = "currency_not_supported";

    /// Creates a reason that the card issuer has no part in.
    pub fn from_code(code: impl Into<String>) -> Self {
        Self { code: code.into(), decline_code: None }
    }
}

/// A line that could not be reserved, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Shortage {
    /// The SKU of the product.
    pub sku: Sku,
    /// The reason, with the available quantity or the current price.
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
