//! The implementations of the ports: over DynamoDB, and in [`memory`].

mod item;
pub mod memory;
mod orders;
mod outbox;

pub use orders::DynamoDbOrders;
pub use outbox::DynamoDbOutbox;
