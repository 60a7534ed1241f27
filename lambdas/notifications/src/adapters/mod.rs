//! The ports, over DynamoDB and SES; and in [`memory`].

mod claims;
pub mod memory;
mod ses;

pub use claims::DynamoDbClaims;
pub use ses::Ses;
