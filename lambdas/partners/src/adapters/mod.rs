//! The ports, over DynamoDB and SQS; and in [`memory`].

mod deliveries;
pub mod memory;
mod partners;
mod queue;
mod random;

pub use deliveries::DynamoDbDeliveries;
pub use partners::DynamoDbPartners;
pub use queue::SqsDeliveryQueue;
pub use random::SystemSecrets;
