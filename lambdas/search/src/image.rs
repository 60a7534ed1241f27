//! A row of the orders table, as the stream and the rebuild read it: the part that the order service
//! publishes and the search needs.

use domain::order::Order;
use serde::Deserialize;
use serde_json::Value;

/// A current or former image of an order in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderImage {
    /// The order, as of this version.
    pub order: Order,
    /// The version of the row, which every write increments by one.
    pub version: u64,
}

/// The error for a row that does not contain a valid order.
#[derive(Debug, thiserror::Error)]
#[error("the row of the orders table is invalid: {0}")]
pub struct ParseImageError(String);

#[derive(Deserialize)]
struct Row {
    version: u64,
    order: String,
}

impl OrderImage {
    /// Parses a row.
    ///
    /// # Errors
    /// If the row is invalid. The message contains no values of the row.
    pub fn from_row(row: Value) -> Result<Self, ParseImageError> {
        let invalid = |error: serde_json::Error| ParseImageError(platform::redact_values(&error.to_string()));
        let row: Row = serde_json::from_value(row).map_err(invalid)?;
        Ok(Self { order: serde_json::from_str(&row.order).map_err(invalid)?, version: row.version })
    }
}
