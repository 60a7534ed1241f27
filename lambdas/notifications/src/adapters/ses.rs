//! Mail through Amazon SES.

use anyhow::Context;
use async_trait::async_trait;
use std::time::Duration;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use platform::aws::Aws;
use platform::config;

use crate::mail::Mail;
use crate::store::{MailError, Mailer};

/// How long SES gets for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Sends from one verified address.
#[derive(Debug, Clone)]
pub struct Ses {
    client: Client,
    sender: String,
}

impl Ses {
    /// From the address in `SENDER_ADDRESS`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        // SES cannot tell a mail that is sent again from a new one, so nothing is sent again in here, and an answer
        // gets long enough to come.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ANSWER_TIME).build();
        let config =
            Builder::from(aws.sdk()).retry_config(RetryConfig::disabled()).timeout_config(timeouts).build();
        Ok(Self { client: Client::from_conf(config), sender: config::required("SENDER_ADDRESS")? })
    }
}

fn utf8(text: &str) -> anyhow::Result<Content> {
    Content::builder().data(text).charset("UTF-8").build().context("the mail could not be made")
}

#[async_trait]
impl Mailer for Ses {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let body = Body::builder().text(utf8(&mail.text)?).html(utf8(&mail.html)?).build();
        let message = Message::builder().subject(utf8(&mail.subject)?).body(body).build();
        let answer = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(mail.to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match answer.map_err(SdkError::into_service_error) {
            Ok(sent) => Ok(sent.message_id.unwrap_or_default()),
            // Errors name the address; the kind of error says enough.
            Err(SendEmailError::MessageRejected(_)) => Err(MailError::Refused("MessageRejected".to_owned())),
            Err(SendEmailError::BadRequestException(_)) => {
                Err(MailError::Refused("BadRequestException".to_owned()))
            }
            Err(error) => {
                let code = error.meta().code().unwrap_or("no answer").to_owned();
                Err(MailError::Unknown(anyhow::anyhow!("SES did not send the mail: {code}")))
            }
        }
    }
}
