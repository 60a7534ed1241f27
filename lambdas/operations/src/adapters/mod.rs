//! Implementations of the ports with SQS, CloudWatch, DynamoDB and Secrets Manager, and in memory for
//! tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod queues;
mod reports;

pub use queues::SqsQueues;
pub use reports::DynamoDbReports;

use async_trait::async_trait;
use aws_secrets::Secret;
use secrecy::SecretString;

use crate::shop::ClientSecret;

#[async_trait]
impl ClientSecret for Secret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        // The secret is read each time: for a function that runs every five minutes a cache saves nothing.
        self.invalidate();
        self.get().await
    }
}
