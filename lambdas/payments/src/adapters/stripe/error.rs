//! The errors of Stripe, and who is to act on them.
//!
//! Sources: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/error-codes>,
//! <https://docs.stripe.com/error-low-level>.

use domain::DeclineReason;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::provider::ProviderError;

/// The body of an error response.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: ApiError,
}

/// The fields of an error that are used. An error may have none of them.
#[derive(Deserialize)]
pub(super) struct ApiError {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
    payment_intent: Option<Value>,
}

/// The cause of an error, which says whether the request can succeed later.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Stripe, or another request at the same time. A retry may succeed.
    Transient,
    /// The account, the API key or the client, for this reason. The request of any order would fail; an
    /// operator has to act.
    Configuration(&'static str),
    /// The order, its payment method or its PaymentIntent. This payment never succeeds.
    Order,
}

impl ApiError {
    /// Returns the cause of the error. A client error is final unless it is known to be anything else: an order
    /// whose payment Stripe will always refuse must not wait until it expires.
    pub(super) fn cause(&self, status: StatusCode) -> Cause {
        let code = self.code.as_deref();
        if !status.is_client_error()
            // 401: the key is being rotated. 409: a concurrent request has the same idempotency key. 424: a
            // dependency of Stripe failed.
            || matches!(status.as_u16(), 401 | 408 | 409 | 424 | 425 | 429)
            || matches!(self.kind.as_deref(), Some("api_error" | "idempotency_error" | "rate_limit_error"))
            || matches!(code, Some("idempotency_key_in_use" | "lock_timeout" | "rate_limit"))
        {
            return Cause::Transient;
        }
        if status == StatusCode::FORBIDDEN {
            return Cause::Configuration("the API key lacks the permission");
        }
        if status == StatusCode::NOT_FOUND && code.is_none() {
            return Cause::Configuration("the API has no such URL");
        }
        // This error has neither a code nor a parameter.
        if self.message.as_deref().is_some_and(|message| message.starts_with("Invalid Stripe API version")) {
            return Cause::Configuration("the API version is not supported");
        }
        match code {
            Some(
                "account_invalid"
                | "api_key_expired"
                | "livemode_mismatch"
                | "platform_api_key_expired"
                | "secret_key_required"
                | "testmode_charges_only"
                | "tls_version_unsupported",
            ) => Cause::Configuration("the account or the API key cannot be used"),
            _ => Cause::Order,
        }
    }

    /// Returns the reason why the payment is declined: the code, or else what is known of the error.
    pub(super) fn reason(&self) -> DeclineReason {
        let code = match (self.code.as_deref(), self.param.as_deref(), self.kind.as_deref()) {
            (Some(code), ..) => code,
            // An error about a currency that is not enabled has no code.
            (None, Some("currency"), _) => DeclineReason::CURRENCY_NOT_SUPPORTED,
            (None, _, Some(kind)) => kind,
            (None, _, None) => "declined",
        };
        DeclineReason { decline_code: self.decline_code.clone(), ..DeclineReason::from_code(code) }
    }

    /// Returns whether the PaymentIntent in the path does not exist, unlike a payment method of the request.
    pub(super) fn is_about_unknown_intent(&self, status: StatusCode) -> bool {
        status == StatusCode::NOT_FOUND && self.param.as_deref() != Some("payment_method")
    }

    /// Returns the PaymentIntent that the error includes.
    ///
    /// # Errors
    /// When it cannot be parsed: the outcome of the request is unknown.
    pub(super) fn payment_intent<T: DeserializeOwned>(&self) -> anyhow::Result<Option<T>> {
        Ok(self.payment_intent.clone().map(serde_json::from_value).transpose()?)
    }

    /// Returns the error for an operator. Stripe's message is not part of it: it may quote the request.
    pub(super) fn invalid_request(&self, status: StatusCode, why: &str) -> ProviderError {
        let param = self.param.as_deref().map(|param| format!(" (parameter {param})")).unwrap_or_default();
        ProviderError::InvalidRequest(format!("{status} {}{param}: {why}", self.reason().code))
    }
}
