//! The ports, over AWS; and in memory.

mod exports;
mod ledger;
pub mod memory;
mod report;

pub use exports::{DynamoDbExports, SqsExportQueue};
pub use ledger::DynamoDbLedger;
pub use report::{SesMailer, StoredLinkSecret};
