//! A client for the part of Stripe's PaymentIntents API that the service uses.
//!
//! Sources: <https://docs.stripe.com/api/payment_intents>, <https://docs.stripe.com/api/errors>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use async_trait::async_trait;
use aws_secrets::Secret;
use bytes::Bytes;
use domain::charge::{NotChargeable, check_charge};
use domain::payment::IntentStatus;
use domain::{DeclineReason, OrderId, PaymentIntentId};
use http::{Method, Request, StatusCode, header};
use platform::http_client::HttpClient;
use secrecy::ExposeSecret;
use serde::Deserialize;

use self::error::{ApiError, Cause, ErrorBody};
use crate::provider::{NewIntent, Provider, ProviderError};

mod error;

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

impl Intent {
    /// Returns the status; the seven that Stripe documents
    /// (<https://docs.stripe.com/api/payment_intents/object#payment_intent_object-status>) are mapped. `refusal` is
    /// why a confirmation was refused, if it was: then the PaymentIntent is as it was before, and confirming it
    /// again would be refused again.
    ///
    /// # Errors
    /// [`ProviderError::Unknown`] for any other status: nothing is known about the charge, so the attempt is
    /// repeated until a version of this code knows the status, or Stripe reports another.
    fn status(self, refusal: Option<DeclineReason>) -> Result<IntentStatus, ProviderError> {
        Ok(match self.status.as_str() {
            // Created, and not confirmed.
            "requires_confirmation" => refusal.map_or(IntentStatus::Unconfirmed, IntentStatus::Declined),
            "processing" => IntentStatus::Processing,
            "succeeded" => IntentStatus::Succeeded,
            "canceled" => IntentStatus::Cancelled,
            // A confirmation failed: Stripe expects another payment method, and there is none.
            "requires_payment_method" => {
                let last = self.last_payment_error.map(|error| error.reason());
                let reason = last.or(refusal);
                IntentStatus::Declined(
                    reason.unwrap_or_else(|| DeclineReason::from_code("payment_method_missing")),
                )
            }
            // The customer would have to authenticate, and is not present to do so.
            "requires_action" => IntentStatus::Declined(DeclineReason::from_code("authentication_required")),
            // Authorized and not charged. The shop captures automatically, so nothing would ever capture it:
            // cancelling it returns the funds.
            "requires_capture" => IntentStatus::Declined(DeclineReason::from_code("capture_required")),
            status => {
                return Err(ProviderError::Unknown(anyhow::anyhow!(
                    "{} has the status {}, which this version does not know",
                    self.id,
                    status.escape_default()
                )));
            }
        })
    }
}

/// A response that allows a decision: a PaymentIntent, or the final refusal of the request.
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
        // Something other than the API responded, such as a proxy.
        let Ok(ErrorBody { error }) = serde_json::from_slice(response.body()) else {
            return Err(ProviderError::Unknown(anyhow::anyhow!("Stripe responded with {status}")));
        };
        match error.cause(status) {
            Cause::Order => Ok(ApiResponse::Error(status, error)),
            Cause::Configuration(why) => Err(error.invalid_request(status, why)),
            Cause::Transient => {
                Err(ProviderError::Unknown(anyhow::anyhow!("Stripe responded with {status}")))
            }
        }
    }

    /// Returns the status of an existing PaymentIntent from the response to a request that charges nothing.
    fn status(response: ApiResponse) -> Result<IntentStatus, ProviderError> {
        match response {
            ApiResponse::Intent(intent) => intent.status(None),
            ApiResponse::Error(status, error) => match error.payment_intent::<Intent>()? {
                // A request that the state does not allow: the error includes the PaymentIntent.
                Some(intent) => intent.status(None),
                // It says nothing of the PaymentIntent, so the customer may have been charged.
                None => Err(error.invalid_request(status, "the PaymentIntent is unknown")),
            },
        }
    }
}

#[async_trait]
impl<C: HttpClient> Provider for Stripe<C> {
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        let NewIntent { order_id, amount, payment_method, idempotency_key } = intent;
        // Stripe would charge another sum. Whether an amount is too small is for Stripe to say, because that
        // depends on the account's settlement currency.
        if let Err(error @ (NotChargeable::Currency(_) | NotChargeable::Fraction { .. })) =
            check_charge(amount)
        {
            return Err(ProviderError::Refused(error.to_decline_reason()));
        }
        let form =
            create_form(order_id, amount.minor_units(), amount.currency.code(), payment_method.as_str());
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.call(Method::POST, "", &form, Some(&idempotency_key)).await? {
            ApiResponse::Intent(intent) => Ok(intent.id),
            ApiResponse::Error(_, error) => Err(ProviderError::Refused(error.reason())),
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
        match self.call(Method::POST, &format!("/{intent}/confirm"), &form, Some(idempotency_key)).await? {
            ApiResponse::Intent(intent) => intent.status(None),
            ApiResponse::Error(status, error) => match error.payment_intent::<Intent>()? {
                Some(intent) => intent.status(Some(error.reason())),
                None if error.is_about_unknown_intent(status) => {
                    Err(error.invalid_request(status, "the PaymentIntent is unknown"))
                }
                // The PaymentIntent is cancelled next, which finds out if it was charged nevertheless.
                None => Ok(IntentStatus::Declined(error.reason())),
            },
        }
    }

    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        let form = [("cancellation_reason", "abandoned")];
        Self::status(self.call(Method::POST, &format!("/{intent}/cancel"), &form, None).await?)
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
