//! Access to the resources inside the stack.

use std::collections::BTreeMap;

use anyhow::Context;
use aws_sdk_sqs::types::{Message, SendMessageBatchRequestEntry};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use platform::http_client::HttpClient;
use serde_json::Value;

use crate::stack::{ApiResponse, Stack};

/// A message in a dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The original message body.
    pub body: String,
    /// The message attributes, with the reason of the failure.
    pub attributes: BTreeMap<String, String>,
    receipt_handle: String,
}

impl Stack {
    /// Returns an SQS client.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(self.aws.sdk_config())
    }

    /// Returns the URL of the queue with this logical id.
    ///
    /// # Errors
    /// When the stack has no such queue.
    pub async fn queue_url(&self, logical: &str) -> anyhow::Result<String> {
        self.physical_id(logical).await
    }

    /// Returns the name of the table with this logical id.
    ///
    /// # Errors
    /// When the stack has no such table.
    pub async fn table_name(&self, logical: &str) -> anyhow::Result<String> {
        self.physical_id(logical).await
    }

    /// Sends messages with these bodies to a queue, as one batch.
    ///
    /// # Errors
    /// When a message is not accepted.
    pub async fn send_messages(&self, queue: &str, bodies: &[String]) -> anyhow::Result<()> {
        let entry = |(index, body): (usize, &String)| {
            SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body).build()
        };
        let entries = bodies.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let response = self
            .sqs()
            .send_message_batch()
            .queue_url(self.queue_url(queue).await?)
            .set_entries(Some(entries))
            .send()
            .await?;
        anyhow::ensure!(response.failed().is_empty(), "not all messages were sent: {response:?}");
        Ok(())
    }

    /// Returns the dead-letter messages in a queue whose body contains `text`. They stay in the queue.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn dead_letters(&self, queue: &str, text: &str) -> anyhow::Result<Vec<DeadLetter>> {
        let url = self.queue_url(queue).await?;
        let mut found = Vec::new();
        let mut seen = Vec::new();
        loop {
            let response = self
                .sqs()
                .receive_message()
                .queue_url(&url)
                .max_number_of_messages(10)
                .message_attribute_names("All")
                .send()
                .await?;
            let messages = response.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            seen.extend(messages.iter().filter_map(|message| message.receipt_handle.clone()));
            found.extend(
                messages
                    .into_iter()
                    .map(DeadLetter::from)
                    .filter(|dead_letter| dead_letter.body.contains(text)),
            );
        }
        // Make the received messages visible again for the other tests.
        for receipt_handle in seen {
            self.sqs()
                .change_message_visibility()
                .queue_url(&url)
                .receipt_handle(receipt_handle)
                .visibility_timeout(0)
                .send()
                .await?;
        }
        Ok(found)
    }

    /// Sends a dead-letter message to its source queue, and then deletes it.
    ///
    /// # Errors
    /// When one of the two requests fails.
    pub async fn redrive(&self, dead_letter: &DeadLetter, function: &str) -> anyhow::Result<()> {
        self.send_messages(&format!("{function}Queue"), std::slice::from_ref(&dead_letter.body)).await?;
        let url = self.queue_url(&format!("{function}DeadLetters")).await?;
        self.sqs().delete_message().queue_url(url).receipt_handle(&dead_letter.receipt_handle).send().await?;
        Ok(())
    }

    /// Invokes a function, and returns its response.
    ///
    /// # Errors
    /// When the invocation fails.
    pub async fn invoke(&self, logical: &str, payload: &str) -> anyhow::Result<Value> {
        let name = self.physical_id(logical).await?;
        let response = self
            .call_lambda(Method::POST, &format!("/2015-03-31/functions/{name}/invocations"), payload)
            .await?;
        anyhow::ensure!(
            response.status == StatusCode::OK && !response.headers.contains_key("x-amz-function-error"),
            "{logical} failed: {response:?}"
        );
        Ok(response.body)
    }

    /// Sends a request to the Lambda API.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn call_lambda(&self, method: Method, path: &str, body: &str) -> anyhow::Result<ApiResponse> {
        self.aws_request("lambda", method, path, &[("content-type", "application/json")], body).await
    }

    /// Sends a signed request to any AWS service.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn aws_request(
        &self,
        service: &'static str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<ApiResponse> {
        let base = match self.aws.sdk_config().endpoint_url() {
            Some(endpoint) => endpoint.to_owned(),
            None => {
                let region = self.aws.sdk_config().region().context("no region is set")?;
                format!("https://{service}.{region}.amazonaws.com")
            }
        };
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned()))?;
        ApiResponse::read(self.aws.signed_client(service).send(request).await?)
    }
}

impl From<Message> for DeadLetter {
    fn from(message: Message) -> Self {
        let attributes = message.message_attributes.unwrap_or_default();
        Self {
            body: message.body.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            attributes: attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.string_value?)))
                .collect(),
        }
    }
}
