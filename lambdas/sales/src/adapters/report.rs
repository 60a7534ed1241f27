//! The AWS services of daily reports: email through Amazon SES, and the secret that signs links.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws::Aws;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_secrets::Secret;
use platform::config;
use secrecy::SecretString;

use crate::report::store::{LinkSecret, Mail, Mailer};

/// The time that SES has to respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends emails from a verified address to one recipient.
#[derive(Debug, Clone)]
pub struct SesMailer {
    client: Client,
    sender: String,
    recipient: String,
}

impl SesMailer {
    /// Sends from the address in `SENDER_ADDRESS` to the one in `REPORT_EMAIL`. `None` when the latter is not
    /// set.
    ///
    /// # Errors
    /// When `REPORT_EMAIL` is set and `SENDER_ADDRESS` is not.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Option<Self>> {
        let recipient = config::optional("REPORT_EMAIL", String::new())?;
        if recipient.is_empty() {
            return Ok(None);
        }
        // SES has no idempotency keys and would send an email twice, so the client does not retry.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(RESPONSE_TIMEOUT).build();
        let config = Builder::from(aws.sdk_config())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        let sender = config::required("SENDER_ADDRESS")?;
        Ok(Some(Self { client: Client::from_conf(config), sender, recipient }))
    }
}

fn utf8(text: &str) -> anyhow::Result<Content> {
    Content::builder().data(text).charset("UTF-8").build().context("the email could not be built")
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> anyhow::Result<()> {
        let body = Body::builder().text(utf8(&mail.text)?).build();
        let message = Message::builder().subject(utf8(&mail.subject)?).body(body).build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(&self.recipient).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        // Error messages contain the address, so only the code is kept.
        sent.map(drop).map_err(|error| {
            let error = error.into_service_error();
            anyhow::anyhow!("SES did not send the email: {}", error.meta().code().unwrap_or("no response"))
        })
    }
}

/// The secret in Secrets Manager.
#[derive(Debug)]
pub struct StoredLinkSecret(Secret);

impl StoredLinkSecret {
    /// Uses the secret in `REPORT_LINK_SECRET_ID`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        Ok(Self(Secret::new(aws.sdk_config(), config::required("REPORT_LINK_SECRET_ID")?)))
    }
}

#[async_trait]
impl LinkSecret for StoredLinkSecret {
    async fn get(&self) -> anyhow::Result<SecretString> {
        self.0.get().await
    }

    fn invalidate(&self) {
        self.0.invalidate();
    }
}
