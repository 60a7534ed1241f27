//! The ports, over SQS, CloudWatch, DynamoDB and Secrets Manager; and in [`memory`].

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
        // Read anew each time: a function that is called every five minutes saves nothing by keeping it.
        self.invalidate();
        self.get().await
    }
}
