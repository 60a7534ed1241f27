//! A row of the orders table, as its stream and the rebuild read it: what the order service publishes of it, and no
//! more than is needed.

use domain::order::Order;
use serde::Deserialize;
use serde_json::Value;

/// An order as the table has it, or had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderImage {
    /// The order.
    pub order: Order,
    /// Goes up by one with each write.
    pub version: u64,
}

/// Why a row is no order.
#[derive(Debug, thiserror::Error)]
#[error("the row of the orders table is not understood: {0}")]
pub struct NoImage(String);

#[derive(Deserialize)]
struct Row {
    version: u64,
    order: String,
}

impl OrderImage {
    /// Reads a row.
    ///
    /// # Errors
    /// Says what is wrong, without a value of the row.
    pub fn read(row: Value) -> Result<Self, NoImage> {
        let wrong =
            |error: serde_json::Error| NoImage(platform::telemetry::redact_values(&error.to_string()));
        let row: Row = serde_json::from_value(row).map_err(wrong)?;
        Ok(Self { order: serde_json::from_str(&row.order).map_err(wrong)?, version: row.version })
    }
}
