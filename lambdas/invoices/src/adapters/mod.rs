//! Implementations of the ports: DynamoDB and the API of the inventory.

mod catalogue;
mod invoices;
#[cfg(feature = "test-support")]
pub mod memory;

pub use catalogue::HttpCatalogue;
pub use invoices::DynamoDbInvoices;
