//! Implementations of the ports over DynamoDB and HTTP, and in memory for tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod orders;
mod products;
mod rows;

pub use orders::DynamoDbImages;
pub use products::HttpProductNames;
pub use rows::DynamoDbRows;

use std::time::Duration;

use platform::retry::RetryPolicy;

/// The attempts for items that DynamoDB returned as unprocessed. The first waits are short, because a response has
/// at most 16 MB, so that items can be unprocessed without throttling.
const UNPROCESSED_RETRY: RetryPolicy = RetryPolicy { base_delay: Duration::from_millis(25), max_attempts: 7 };
