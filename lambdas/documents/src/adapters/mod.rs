//! Implementations of the ports, with AWS services and the API of the inventory, and in memory.

mod exports;
pub mod invoices;
mod ledger;
pub mod memory;
mod report;

pub use exports::{DynamoDbExports, SqsExportQueue};
pub use ledger::DynamoDbLedger;
pub use report::{SesMailer, StoredLinkSecret};
