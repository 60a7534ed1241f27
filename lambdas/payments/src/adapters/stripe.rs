//! A client for the part of Stripe's PaymentIntents API that the service uses.
//!
//! Sources: <https://docs.stripe.com/api/payment_intents>, <https://docs.stripe.com/api/errors>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use async_trait::async_trait;
use aws_secrets::Secret;
use bytes::Bytes;
use domain::payment::IntentStatus;
use domain::{DeclineReason, Money, OrderId, PaymentIntentId};
use http::{Method, Request, StatusCode, header};
use platform::http_client::HttpClient;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use crate::provider::{NewIntent, Provider, ProviderError};

/// The API version that this code was written for. Stripe uses it instead of the account's default version.
const API_VERSION: &str = "2024-06-20";

/// A client for Stripe over HTTPS.
pub struct Stripe<C> {
    client: C,
    base: String,
    key: Secret,
}

/// The fields of a PaymentIntent that are used.
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
            // A confirmation failed: Stripe expects another payment method, and there is none.
            "requires_payment_method" => IntentStatus::Declined(match self.last_payment_error {
                Some(error) => error.reason(),
                None => DeclineReason { code: "payment_method_missing".to_owned(), decline_code: None },
            }),
            // The customer would have to authenticate, and is not present to do so.
            "requires_action" => {
                let code = "authentication_required".to_owned();
                IntentStatus::Declined(DeclineReason { code, decline_code: None })
            }
            status => {
                return Err(ProviderError::InvalidRequest(format!(
                    "a PaymentIntent has the unknown status {status}"
                )));
            }
        })
    }
}

/// A response that allows a decision: a PaymentIntent, or an error that will not go away.
enum ApiResponse {
    Intent(Intent),
    Error(StatusCode, ApiError),
}

impl<C: HttpClient> Stripe<C> {
    /// A client for the API at `base` (`https://api.stripe.com`) with the secret key in `key`.
    pub fn new(client: C, base: &str, key: Secret) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), key }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        idempotency_key: Option<&str>,
    ) -> Result<ApiResponse, ProviderError> {
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
        let response = self.client.send(request).await.map_err(anyhow::Error::from)?;
        let status = response.status();
        if status.is_success() {
            return Ok(ApiResponse::Intent(
                serde_json::from_slice(response.body()).map_err(anyhow::Error::from)?,
            ));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.key.invalidate();
        }
        // 5xx, 429, 409 (a concurrent request with the same key) and 401 (the key is being rotated) are
        // transient.
        let is_permanent =
            matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND);
        match serde_json::from_slice::<ErrorBody>(response.body()) {
            Ok(body) if is_permanent && body.error.kind.as_deref() != Some("idempotency_error") => {
                Ok(ApiResponse::Error(status, body.error))
            }
            _ => Err(ProviderError::Unknown(anyhow::anyhow!("Stripe responded with {status}"))),
        }
    }

    /// Returns the status of an existing PaymentIntent from a response.
    fn status(response: ApiResponse) -> Result<IntentStatus, ProviderError> {
        match response {
            ApiResponse::Intent(intent) => intent.status(),
            // A decline, or a request that the state does not allow: the error includes the PaymentIntent.
            ApiResponse::Error(_, ApiError { payment_intent: Some(intent), .. }) => {
                serde_json::from_value::<Intent>(intent).map_err(anyhow::Error::from)?.status()
            }
            ApiResponse::Error(StatusCode::PAYMENT_REQUIRED, error) => {
                Ok(IntentStatus::Declined(error.reason()))
            }
            ApiResponse::Error(status, error) => Err(invalid_request(status, error)),
        }
    }
}

fn invalid_request(status: StatusCode, error: ApiError) -> ProviderError {
    let param = error.param.clone().map(|param| format!(" (parameter {param})")).unwrap_or_default();
    ProviderError::InvalidRequest(format!("{status} {}{param}", error.reason().code))
}

#[async_trait]
impl<C: HttpClient> Provider for Stripe<C> {
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        let NewIntent { order_id, amount, payment_method, idempotency_key } = intent;
        if !has_iso_minor_units(amount) {
            let code = "currency_not_supported".to_owned();
            return Err(ProviderError::Refused(DeclineReason { code, decline_code: None }));
        }
        let form =
            create_form(order_id, amount.minor_units(), amount.currency.code(), payment_method.as_str());
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.call(Method::POST, "", &form, Some(&idempotency_key)).await? {
            ApiResponse::Intent(intent) => Ok(intent.id),
            ApiResponse::Error(StatusCode::PAYMENT_REQUIRED, error) => {
                Err(ProviderError::Refused(error.reason()))
            }
            // Only parameters that come from the order make the order invalid.
            ApiResponse::Error(_, error)
                if matches!(error.param.as_deref(), Some("payment_method" | "amount" | "currency")) =>
            {
                Err(ProviderError::Refused(error.reason()))
            }
            ApiResponse::Error(status, error) => Err(invalid_request(status, error)),
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

/// Returns whether Stripe counts this amount in the same minor units as ISO 4217. Stripe takes the Malagasy
/// ariary as a zero-decimal currency, the Icelandic króna and the Ugandan shilling as two-decimal ones, and
/// requires amounts in three-decimal currencies to be multiples of ten
/// (<https://docs.stripe.com/currencies#special-cases>). Other amounts are not sent, because Stripe would
/// charge a different sum.
fn has_iso_minor_units(amount: Money) -> bool {
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
