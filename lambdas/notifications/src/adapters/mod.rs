//! The ports, over DynamoDB and SES.

mod claims;
mod ses;

pub use claims::DynamoDbClaims;
pub use ses::Ses;
