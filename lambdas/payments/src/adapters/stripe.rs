//! Stripe's API: PaymentIntents, as far as we need them.
//!
//! Sources: <https://docs.stripe.com/api/payment_intents>, <https://docs.stripe.com/api/errors>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use async_trait::async_trait;
use aws_secrets::Secret;
use bytes::Bytes;
use domain::payment::{DeclineReason, IntentStatus};
use domain::{Money, OrderId, PaymentIntentId};
use http::{Method, Request, StatusCode, header};
use platform::http::client::HttpClient;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use crate::provider::{NewIntent, Provider, ProviderError};

/// The version of the API that this code was written for: Stripe answers in it whatever the account's own is.
const API_VERSION: &str = "2024-06-20";

/// Stripe, over HTTPS.
pub struct Stripe<C> {
    client: C,
    base: String,
    key: Secret,
}

/// What an answer says, as far as we look at it.
#[derive(Deserialize)]
struct Intent {
    id: PaymentIntentId,
    status: String,
    last_payment_error: Option<ApiError>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ApiError,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    payment_intent: Option<Value>,
}

impl ApiError {
    fn reason(self) -> DeclineReason {
        let code = self.code.or(self.kind).unwrap_or_else(|| "declined".to_owned());
        DeclineReason { code, decline_code: self.decline_code }
    }
}

impl Intent {
    fn status(self) -> Result<IntentStatus, ProviderError> {
        Ok(match self.status.as_str() {
            "requires_confirmation" => IntentStatus::Unconfirmed,
            "processing" => IntentStatus::Processing,
            "succeeded" => IntentStatus::Succeeded,
            "canceled" => IntentStatus::Cancelled,
            // Tried, and not charged: Stripe waits for another payment method, and we have none.
            "requires_payment_method" => IntentStatus::Declined(match self.last_payment_error {
                Some(error) => error.reason(),
                None => DeclineReason { code: "payment_method_missing".to_owned(), decline_code: None },
            }),
            // The customer would have to do something, and is not here to do it.
            "requires_action" => {
                let code = "authentication_required".to_owned();
                IntentStatus::Declined(DeclineReason { code, decline_code: None })
            }
            other => return Err(ProviderError::Misunderstood(format!("a PaymentIntent is {other}"))),
        })
    }
}

/// What an error that is none means here: whatever the PaymentIntent in it says.
enum Answer {
    Intent(Intent),
    Error(StatusCode, ApiError),
}

impl<C: HttpClient> Stripe<C> {
    /// The API at `base` (`https://api.stripe.com`), with the secret key in `key`.
    pub fn new(client: C, base: &str, key: Secret) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), key }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        idempotency_key: Option<&str>,
    ) -> Result<Answer, ProviderError> {
        let key = self.key.get().await?;
        let body = serde_urlencoded::to_string(form).map_err(anyhow::Error::from)?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/payment_intents{path}", self.base))
            .header(header::AUTHORIZATION, format!("Bearer {}", key.expose_secret()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("stripe-version", API_VERSION);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Bytes::from(body)).map_err(anyhow::Error::from)?;
        let answer = self.client.send(request).await.map_err(anyhow::Error::from)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Answer::Intent(serde_json::from_slice(answer.body()).map_err(anyhow::Error::from)?));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.key.invalidate();
        }
        // 5xx, 429, 409 (the same key in flight) and 401 (a key being rotated) may be gone next time.
        let lasting =
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND);
        match serde_json::from_slice::<ErrorBody>(answer.body()) {
            Ok(body) if lasting && body.error.kind.as_deref() != Some("idempotency_error") => {
                Ok(Answer::Error(status, body.error))
            }
            _ => Err(ProviderError::Unknown(anyhow::anyhow!("Stripe answered {status}"))),
        }
    }

    /// What an answer says of a PaymentIntent that is there.
    fn status(answer: Answer) -> Result<IntentStatus, ProviderError> {
        match answer {
            Answer::Intent(intent) => intent.status(),
            // A decline, or a step that its state does not allow: Stripe tells the state with the error.
            Answer::Error(_, ApiError { payment_intent: Some(intent), .. }) => {
                serde_json::from_value::<Intent>(intent).map_err(anyhow::Error::from)?.status()
            }
            Answer::Error(StatusCode::PAYMENT_REQUIRED, error) => Ok(IntentStatus::Declined(error.reason())),
            Answer::Error(status, error) => Err(misunderstood(status, error)),
        }
    }
}

fn misunderstood(status: StatusCode, error: ApiError) -> ProviderError {
    let param = error.param.clone().map(|param| format!(" about {param}")).unwrap_or_default();
    ProviderError::Misunderstood(format!("{status} {}{param}", error.reason().code))
}

#[async_trait]
impl<C: HttpClient> Provider for Stripe<C> {
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        let NewIntent { order_id, amount, payment_method, idempotency_key } = intent;
        if !counts_alike(amount) {
            let code = "currency_not_supported".to_owned();
            return Err(ProviderError::Refused(DeclineReason { code, decline_code: None }));
        }
        let form =
            create_form(order_id, amount.minor_units(), amount.currency.code(), payment_method.as_str());
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.call(Method::POST, "", &form, Some(&idempotency_key)).await? {
            Answer::Intent(intent) => Ok(intent.id),
            Answer::Error(StatusCode::PAYMENT_REQUIRED, error) => Err(ProviderError::Refused(error.reason())),
            // Only what the order decides is the order's fault.
            Answer::Error(_, error)
                if matches!(error.param.as_deref(), Some("payment_method" | "amount" | "currency")) =>
            {
                Err(ProviderError::Refused(error.reason()))
            }
            Answer::Error(status, error) => Err(misunderstood(status, error)),
        }
    }

    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        Self::status(self.call(Method::GET, &format!("/{intent}"), &[], None).await?)
    }

    async fn confirm(
        &self,
        intent: &PaymentIntentId,
        idempotency_key: &str,
    ) -> Result<IntentStatus, ProviderError> {
        let form = [("error_on_requires_action", "true")];
        Self::status(
            self.call(Method::POST, &format!("/{intent}/confirm"), &form, Some(idempotency_key)).await?,
        )
    }

    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        let form = [("cancellation_reason", "abandoned")];
        Self::status(self.call(Method::POST, &format!("/{intent}/cancel"), &form, None).await?)
    }
}

/// Whether Stripe counts this sum in the minor units that ISO 4217 does. It counts the Malagasy ariary whole, the
/// Icelandic króna and the Ugandan shilling in hundredths, and takes thousandths only in tens
/// (<https://docs.stripe.com/currencies#special-cases>). What it would charge otherwise than we say is not sent.
fn counts_alike(amount: Money) -> bool {
    match amount.currency.code() {
        "MGA" | "ISK" | "UGX" => false,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => amount.minor_units().is_multiple_of(10),
        _ => true,
    }
}

fn create_form(
    order: OrderId,
    amount: u32,
    currency: &str,
    payment_method: &str,
) -> [(&'static str, String); 5] {
    [
        ("amount", amount.to_string()),
        ("currency", currency.to_lowercase()),
        ("payment_method", payment_method.to_owned()),
        ("payment_method_types[]", "card".to_owned()),
        ("metadata[order_id]", order.to_string()),
    ]
}

#[cfg(test)]
mod tests;
