//! Implementations of the port with DynamoDB, and in memory for tests.

mod invoices;
#[cfg(feature = "test-support")]
pub mod memory;

pub use invoices::DynamoDbInvoices;
