//! Mail through Amazon SES.

use anyhow::Context;
use async_trait::async_trait;
use std::time::Duration;

use aws::Aws;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use platform::config;
use platform::idempotency::EffectError;

use crate::mail::Mail;
use crate::store::Mailer;

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
        let config = Builder::from(aws.sdk_config())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Ok(Self { client: Client::from_conf(config), sender: config::required("SENDER_ADDRESS")? })
    }
}

fn utf8(text: &str) -> anyhow::Result<Content> {
    Content::builder().data(text).charset("UTF-8").build().context("the mail could not be made")
}

#[async_trait]
impl Mailer for Ses {
    async fn send(&self, mail: &Mail) -> Result<String, EffectError> {
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
        match answer {
            Ok(sent) => Ok(sent.message_id.unwrap_or_default()),
            Err(error) => Err(judge(error)),
        }
    }
}

/// Whether a mail may have been sent all the same. SES answers an error of ours (4xx) instead of sending; a server's
/// error, and no answer, say nothing. Errors name the address, so only their code is kept.
fn judge(error: SdkError<SendEmailError>) -> EffectError {
    let not_even_asked = matches!(error, SdkError::ConstructionFailure(_));
    let status = error.raw_response().map(|response| response.status().as_u16());
    let error = error.into_service_error();
    let why = || anyhow::anyhow!("SES did not send the mail: {}", error.meta().code().unwrap_or("no answer"));
    match (&error, status) {
        (SendEmailError::MessageRejected(_) | SendEmailError::BadRequestException(_), _) => {
            EffectError::Refused(why())
        }
        (_, Some(400..=499)) => EffectError::NotDone(why()),
        _ if not_even_asked => EffectError::NotDone(why()),
        _ => EffectError::Unknown(why()),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sesv2::error::ErrorMetadata;
    use aws_sdk_sesv2::types::error::{MessageRejected, TooManyRequestsException};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answered(status: u16, error: SendEmailError) -> EffectError {
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        judge(SdkError::service_error(error, response))
    }

    fn meta(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder().code(code).message("ada@example.com is not verified").build()
    }

    #[test]
    fn only_an_answer_that_says_so_means_that_nothing_was_sent() {
        let rejected = MessageRejected::builder().meta(meta("MessageRejected")).build();
        let refused = answered(400, SendEmailError::MessageRejected(rejected));
        assert!(matches!(refused, EffectError::Refused(_)), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains("MessageRejected") && !said.contains("ada"), "{said}");
        let busy = TooManyRequestsException::builder().meta(meta("TooManyRequestsException")).build();
        let busy = answered(429, SendEmailError::TooManyRequestsException(busy));
        assert!(matches!(busy, EffectError::NotDone(_)), "{busy:?}");
        let broken = answered(500, SendEmailError::generic(meta("InternalFailure")));
        assert!(matches!(broken, EffectError::Unknown(_)), "{broken:?}");
        let silent = judge(SdkError::timeout_error("no answer in time"));
        assert!(matches!(silent, EffectError::Unknown(_)), "{silent:?}");
        let never = judge(SdkError::construction_failure("no region"));
        assert!(matches!(never, EffectError::NotDone(_)), "{never:?}");
    }
}
