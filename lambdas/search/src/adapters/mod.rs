//! Implementations of the ports over DynamoDB and HTTP, and in memory for tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod orders;
mod products;
mod rows;

pub use orders::DynamoDbImages;
pub use products::HttpProductNames;
pub use rows::DynamoDbRows;
