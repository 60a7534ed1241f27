//! The implementations of the port: over DynamoDB, and in memory for tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod profiles;

pub use profiles::DynamoDbProfiles;
