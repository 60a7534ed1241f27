//! The ports, over AWS and the inventory's API; and in memory.

mod exports;
pub mod invoices;
mod ledger;
pub mod memory;
mod report;

pub use exports::{DynamoDbExports, SqsExportQueue};
pub use ledger::DynamoDbLedger;
pub use report::{SesMailer, StoredLinkSecret};
