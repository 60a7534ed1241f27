//! The implementations of the ports: over DynamoDB, SQS and HTTP, and in memory for tests.

mod client;
mod imports;
#[cfg(feature = "test-support")]
pub mod memory;
mod products;
mod reservations;
mod stock;

pub use client::HttpInventory;
pub use imports::{DynamoDbImports, SqsResumeQueue};
pub use products::DynamoDbProducts;
pub use reservations::DynamoDbReservations;
pub use stock::DynamoDbStock;

use std::sync::Arc;

use aws::Aws;
use platform::config;

use crate::client::Inventory;

/// A client of the inventory API at `INVENTORY_API_URL`. Requests are signed with AWS Signature Version 4.
///
/// # Errors
/// When the variable is not set.
pub fn inventory_api(aws: &Aws) -> anyhow::Result<Arc<dyn Inventory>> {
    let base = config::required("INVENTORY_API_URL")?;
    Ok(Arc::new(HttpInventory::new(aws.signed_client("execute-api"), &base)))
}
