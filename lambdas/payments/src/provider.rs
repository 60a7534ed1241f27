//! The port to the payment provider.

use async_trait::async_trait;
use domain::payment::IntentStatus;
use domain::{DeclineReason, Money, OrderId, PaymentIntentId, PaymentMethodId};

/// The parameters of a new PaymentIntent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIntent {
    /// The order to be paid.
    pub order_id: OrderId,
    /// The amount to charge.
    pub amount: Money,
    /// The payment method to charge.
    pub payment_method: PaymentMethodId,
    /// A repeated request with the same key gets the response to the first one.
    pub idempotency_key: String,
}

/// A payment provider, which charges customers.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Creates a PaymentIntent. Nothing is charged yet.
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError>;
    /// Returns the status of a PaymentIntent.
    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError>;
    /// Confirms a PaymentIntent, which charges the customer unless it is already final, and returns its
    /// status: [`IntentStatus::Declined`] also if the provider refuses to confirm it, and always will.
    async fn confirm(
        &self,
        intent: &PaymentIntentId,
        idempotency_key: &str,
    ) -> Result<IntentStatus, ProviderError>;
    /// Cancels a PaymentIntent unless it has already succeeded, and returns its status.
    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError>;
}

/// Why a request to the provider failed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The provider refuses to charge this order. This is final.
    #[error("the provider refused: {}", .0.code)]
    Refused(DeclineReason),
    /// The request is invalid, because of a bug or the configuration: it needs manual intervention.
    #[error("the provider rejected the request as invalid: {0}")]
    InvalidRequest(String),
    /// The outcome is unknown, or the request failed and may succeed later.
    #[error(transparent)]
    Unknown(#[from] anyhow::Error),
}
