//! The ports, over DynamoDB.

mod item;
mod orders;
mod outbox;

pub use orders::DynamoDbOrders;
pub use outbox::DynamoDbOutbox;
