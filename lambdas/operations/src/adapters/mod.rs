//! Implementations of the ports with SQS, CloudWatch, DynamoDB, Secrets Manager and HTTP, and in memory for
//! tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod queues;
mod reports;
mod shop;

pub use queues::SqsQueues;
pub use reports::DynamoDbReports;
pub use shop::{HttpShop, OAuthClient};
