//! Implementations of the ports with DynamoDB and SQS, and in memory for tests.

mod deliveries;
#[cfg(feature = "test-support")]
pub mod memory;
mod partners;
mod queue;
mod random;

pub use deliveries::DynamoDbDeliveries;
pub use partners::DynamoDbPartners;
pub use queue::SqsDeliveryQueue;
pub use random::SystemSecretGenerator;
