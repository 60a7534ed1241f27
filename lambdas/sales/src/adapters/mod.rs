//! Implementations of the ports with AWS services.

mod exports;
mod ledger;
#[cfg(feature = "test-support")]
pub mod memory;
mod report;

pub use exports::{DynamoDbExports, SqsExportQueue};
pub use ledger::DynamoDbLedger;
pub use report::{SesMailer, StoredLinkSecret};
