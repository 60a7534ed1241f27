//! The implementations of the ports: over DynamoDB, and in memory for tests.

mod item;
#[cfg(feature = "test-support")]
pub mod memory;
mod orders;
mod outbox;

pub use orders::DynamoDbOrders;
pub use outbox::DynamoDbOutbox;
