//! The queue of `deliver-webhook` in SQS.

use anyhow::Context;
use async_trait::async_trait;
use aws::Aws;
use aws_sdk_sqs::Client;
use platform::config;
use serde_json::json;

use crate::event::PartnerEvent;
use crate::store::DeliveryQueue;

/// The SQS queue. Messages have the same envelope as those of EventBridge.
#[derive(Debug, Clone)]
pub struct SqsDeliveryQueue {
    client: Client,
    url: String,
}

impl SqsDeliveryQueue {
    /// The queue in `DELIVERY_QUEUE_URL`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(aws.sdk_config()), url: config::required("DELIVERY_QUEUE_URL")? })
    }
}

#[async_trait]
impl DeliveryQueue for SqsDeliveryQueue {
    async fn send(&self, event: &PartnerEvent) -> anyhow::Result<()> {
        let body = json!({ "detail-type": event.kind.name(), "source": "partners", "detail": event });
        let sent =
            self.client.send_message().queue_url(&self.url).message_body(body.to_string()).send().await;
        sent.context("the event could not be sent to the delivery queue")?;
        Ok(())
    }
}
