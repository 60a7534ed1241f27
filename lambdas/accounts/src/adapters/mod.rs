//! The implementations of the port: over DynamoDB, and in [`memory`].

pub mod memory;
mod profiles;

pub use profiles::DynamoDbProfiles;
