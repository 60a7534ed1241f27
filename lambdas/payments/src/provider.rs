//! The port to the payment provider.

use async_trait::async_trait;
use domain::payment::{DeclineReason, IntentStatus};
use domain::{Money, OrderId, PaymentIntentId, PaymentMethodId};

/// What a PaymentIntent is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIntent {
    /// The order that it pays.
    pub order_id: OrderId,
    /// What is charged.
    pub amount: Money,
    /// How.
    pub payment_method: PaymentMethodId,
    /// The same key with the same request gets the answer that it got before.
    pub idempotency_key: String,
}

/// Charges customers.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Makes a PaymentIntent, and charges nothing.
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError>;
    /// How a PaymentIntent stands.
    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError>;
    /// Charges a PaymentIntent, unless that was decided before; tells how it stands then.
    async fn confirm(
        &self,
        intent: &PaymentIntentId,
        idempotency_key: &str,
    ) -> Result<IntentStatus, ProviderError>;
    /// Makes sure that a PaymentIntent is not charged, unless it was; tells how it stands then.
    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError>;
}

/// Why the provider did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// This customer cannot be charged so: the order's fault, and final.
    #[error("the provider refused: {}", .0.code)]
    Refused(DeclineReason),
    /// It does not understand us: our fault. A person has to look.
    #[error("the provider does not understand the request: {0}")]
    Misunderstood(String),
    /// Whether it was done is not known, or it was not and may be later.
    #[error(transparent)]
    Unknown(#[from] anyhow::Error),
}
