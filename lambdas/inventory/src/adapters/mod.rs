//! The ports, over DynamoDB; and in [`memory`].

mod imports;
pub mod memory;
mod products;
mod reservations;
mod stock;

pub use imports::{DynamoDbImports, SqsGoOn};
pub use products::DynamoDbProducts;
pub use reservations::DynamoDbReservations;
pub use stock::DynamoDbStock;

use std::sync::Arc;

use aws::Aws;
use platform::config;

use crate::client::{HttpInventory, Inventory};

/// The inventory's API at `INVENTORY_API_URL`, with requests signed as API Gateway asks for them.
///
/// # Errors
/// When it is not set.
pub fn inventory_api(aws: &Aws) -> anyhow::Result<Arc<dyn Inventory>> {
    let base = config::required("INVENTORY_API_URL")?;
    Ok(Arc::new(HttpInventory::new(aws.signed_client("execute-api"), &base)))
}
