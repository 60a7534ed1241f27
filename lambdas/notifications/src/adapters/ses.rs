//! Emails through Amazon SES.

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
use domain::EmailAddress;
use platform::config;
use platform::idempotency::EffectError;

use crate::mail::Email;
use crate::store::{Delivery, Mailer};

/// The timeout of a request to SES.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Sends emails from one verified address.
#[derive(Debug, Clone)]
pub struct Ses {
    client: Client,
    sender: String,
}

impl Ses {
    /// A mailer that sends from the address in `SENDER_ADDRESS`.
    ///
    /// # Errors
    /// When the variable is not set, or is not an email address: the address that SES refuses must be that of the
    /// recipient.
    pub fn from_env(aws: &Aws) -> anyhow::Result<Self> {
        let sender: EmailAddress = config::required("SENDER_ADDRESS")?.parse().context("SENDER_ADDRESS")?;
        // SES cannot distinguish a retry from a new email, so the client does not retry, and has a long
        // timeout.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(RESPONSE_TIMEOUT).build();
        let config = Builder::from(aws.sdk_config())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Ok(Self { client: Client::from_conf(config), sender: sender.into() })
    }
}

fn utf8(text: &str) -> anyhow::Result<Content> {
    Content::builder().data(text).charset("UTF-8").build().context("the email could not be built")
}

#[async_trait]
impl Mailer for Ses {
    async fn send(&self, email: &Email) -> Result<Delivery, EffectError> {
        let body = Body::builder().text(utf8(&email.text)?).html(utf8(&email.html)?).build();
        let message = Message::builder().subject(utf8(&email.subject)?).body(body).build();
        let response = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        match response {
            Ok(sent) => Ok(Delivery::Accepted { message_id: sent.message_id.unwrap_or_default() }),
            Err(error) => classify_error(error),
        }
    }
}

/// Whether SES refuses the address of the recipient for good. The error of an address that is not well formed is a
/// `BadRequestException` (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>) whose message
/// is that of JavaMail's `InternetAddress`, such as "Local address contains dot-dot" or "Missing final '@domain'".
/// A recipient that is not verified, in the sandbox, and a sender without an identity are a `MessageRejected`, and
/// need manual intervention. SES accepts mail to suppressed addresses and drops it.
fn refuses_address(error: &SendEmailError) -> bool {
    let message = error.meta().message().unwrap_or_default().to_ascii_lowercase();
    match error {
        SendEmailError::BadRequestException(_) => {
            ["address", "domain", "local name", "user name"].iter().any(|part| message.contains(part))
        }
        SendEmailError::MessageRejected(_) => {
            ["blacklisted", "suppress"].iter().any(|part| message.contains(part))
        }
        _ => false,
    }
}

/// Classifies an error: an undeliverable email is an outcome, every other error differs by whether the email may have
/// been sent nevertheless. After a client error (4xx) it was not; after a server error, or without a response, that
/// is unknown. Only the code of the error is kept, because its message contains the address.
fn classify_error(error: SdkError<SendEmailError>) -> Result<Delivery, EffectError> {
    let was_not_sent = matches!(error, SdkError::ConstructionFailure(_));
    let status = error.raw_response().map(|response| response.status().as_u16());
    let error = error.into_service_error();
    let code = error.meta().code().unwrap_or("no response");
    if refuses_address(&error) {
        return Ok(Delivery::Undeliverable { code: code.to_owned() });
    }
    let why = || anyhow::anyhow!("SES did not send the email: {code}");
    Err(match (&error, status) {
        (SendEmailError::MessageRejected(_) | SendEmailError::BadRequestException(_), _) => {
            EffectError::Refused(why())
        }
        (_, Some(400..=499)) => EffectError::NotDone(why()),
        _ if was_not_sent => EffectError::NotDone(why()),
        _ => EffectError::Unknown(why()),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_sesv2::error::ErrorMetadata;
    use aws_sdk_sesv2::types::error::{BadRequestException, MessageRejected, TooManyRequestsException};
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn classify(status: u16, error: SendEmailError) -> Result<Delivery, EffectError> {
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        classify_error(SdkError::service_error(error, response))
    }

    fn service_error(status: u16, error: SendEmailError) -> EffectError {
        classify(status, error).unwrap_err()
    }

    #[test]
    fn an_address_that_ses_refuses_is_undeliverable() {
        let bad_request = |message: &str| {
            let meta = ErrorMetadata::builder().code("BadRequestException").message(message).build();
            SendEmailError::BadRequestException(BadRequestException::builder().meta(meta).build())
        };
        for message in [
            "Local address contains dot-dot",
            "Local address starts with dot",
            "Local address ends with dot",
            "Local address contains illegal character",
            "Domain contains illegal character",
            "Domain contains control or whitespace",
            "Domain starts with dot",
            "Missing domain",
            "Missing local name",
            "Missing final '@domain'",
            "Illegal address",
            "Invalid email address .",
        ] {
            let delivery = classify(400, bad_request(message)).unwrap();
            assert_eq!(
                delivery,
                Delivery::Undeliverable { code: "BadRequestException".to_owned() },
                "{message}"
            );
        }
        for message in ["Invalid charset", "Message length is more than 10485760 bytes long", ""] {
            assert!(matches!(service_error(400, bad_request(message)), EffectError::Refused(_)), "{message}");
        }
        let rejected = |message: &str| {
            let meta = ErrorMetadata::builder().code("MessageRejected").message(message).build();
            SendEmailError::MessageRejected(MessageRejected::builder().meta(meta).build())
        };
        assert!(matches!(
            classify(400, rejected("Address blacklisted.")),
            Ok(Delivery::Undeliverable { .. })
        ));
        let unverified = "Email address is not verified. The following identities failed the check: a@b.co";
        assert!(matches!(service_error(400, rejected(unverified)), EffectError::Refused(_)));
    }

    fn meta(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder().code(code).message("ada@example.com is not verified").build()
    }

    #[test]
    fn only_a_client_error_means_that_nothing_was_sent() {
        let rejected = MessageRejected::builder().meta(meta("MessageRejected")).build();
        let refused = service_error(400, SendEmailError::MessageRejected(rejected));
        assert!(matches!(refused, EffectError::Refused(_)), "{refused:?}");
        let message = refused.to_string();
        assert!(message.contains("MessageRejected") && !message.contains("ada"), "{message}");
        let throttled = TooManyRequestsException::builder().meta(meta("TooManyRequestsException")).build();
        let throttled = service_error(429, SendEmailError::TooManyRequestsException(throttled));
        assert!(matches!(throttled, EffectError::NotDone(_)), "{throttled:?}");
        let broken = service_error(500, SendEmailError::generic(meta("InternalFailure")));
        assert!(matches!(broken, EffectError::Unknown(_)), "{broken:?}");
        let silent = classify_error(SdkError::timeout_error("no response in time")).unwrap_err();
        assert!(matches!(silent, EffectError::Unknown(_)), "{silent:?}");
        let never = classify_error(SdkError::construction_failure("no region")).unwrap_err();
        assert!(matches!(never, EffectError::NotDone(_)), "{never:?}");
    }
}
