//! Implementations of the ports over DynamoDB, S3, GuardDuty and `clamd`, and in memory for tests.

mod clamd;
mod guard_duty;
mod images;
#[cfg(feature = "test-support")]
pub mod memory;
mod post;
mod quarantine;
mod renderer;

pub use clamd::Clamd;
pub use guard_duty::GuardDuty;
pub use images::DynamoDbImages;
pub use post::PresignedPost;
pub use quarantine::S3Quarantine;
pub use renderer::BlockingRenderer;

use std::sync::Arc;

use platform::config;

use crate::scan::Scanner;

/// Creates the scanner that `MALWARE_SCANNER` selects: `guardduty`, or `clamd` at `CLAMD_ADDRESS`.
///
/// # Errors
/// If the value is neither, or the address is not set. The service does not run without a scanner.
pub fn scanner() -> anyhow::Result<Arc<dyn Scanner>> {
    match config::required("MALWARE_SCANNER")?.as_str() {
        "guardduty" => Ok(Arc::new(GuardDuty)),
        "clamd" => Ok(Arc::new(Clamd::new(config::required("CLAMD_ADDRESS")?))),
        other => anyhow::bail!("MALWARE_SCANNER is {other}, must be guardduty or clamd"),
    }
}
