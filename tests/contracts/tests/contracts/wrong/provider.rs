//! Wrong payment providers, which violate the contracts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use contracts::differential;
use contracts::provider::{Control, World, violations};
use domain::payment::IntentStatus;
use domain::{OrderId, PaymentIntentId};
use payments::provider::{NewIntent, Provider, ProviderError};
use uuid::Uuid;

use super::{SEQUENCES, assert_detected, assert_violations};
use crate::memory::{InMemoryControl, InMemoryProvider, provider_world};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Ignores idempotency keys.
    ForgetsKeys,
    /// Charges on every confirmation.
    ChargesAgain,
    /// Reports a cancellation without cancelling.
    CancelsNothing,
    /// Charges on creation.
    ChargesAtOnce,
    /// Never lets a key expire.
    KeepsKeys,
}

struct Wrong {
    fault: Fault,
    provider: Arc<InMemoryProvider>,
    calls: AtomicU32,
}

#[async_trait]
impl Provider for Wrong {
    async fn create(&self, mut intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        if self.fault == Fault::ForgetsKeys {
            intent.idempotency_key = self.calls.fetch_add(1, Ordering::SeqCst).to_string();
        }
        let made = self.provider.create(intent).await?;
        if self.fault == Fault::ChargesAtOnce {
            self.provider.confirm(&made, &format!("{made} at once")).await?;
        }
        Ok(made)
    }

    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.provider.retrieve(intent).await
    }

    async fn confirm(&self, intent: &PaymentIntentId, key: &str) -> Result<IntentStatus, ProviderError> {
        let before = self.provider.retrieve(intent).await?;
        let status = self.provider.confirm(intent, key).await?;
        if self.fault == Fault::ChargesAgain && before == IntentStatus::Succeeded {
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
        Ok(status)
    }

    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        if self.fault == Fault::CancelsNothing {
            return Ok(IntentStatus::Cancelled);
        }
        self.provider.cancel(intent).await
    }
}

struct WrongControl(Arc<Wrong>);

#[async_trait]
impl Control for WrongControl {
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize> {
        let once = InMemoryControl(self.0.provider.clone()).captures(order).await?;
        let again = self.0.calls.load(Ordering::SeqCst);
        Ok(once + if self.0.fault == Fault::ChargesAgain { usize::try_from(again)? } else { 0 })
    }

    async fn forget(&self, key: &str) -> anyhow::Result<()> {
        if self.0.fault == Fault::KeepsKeys {
            return Ok(());
        }
        InMemoryControl(self.0.provider.clone()).forget(key).await
    }

    async fn finish_processing(&self, intent: &PaymentIntentId, is_charged: bool) -> anyhow::Result<()> {
        InMemoryControl(self.0.provider.clone()).finish_processing(intent, is_charged).await
    }
}

fn world(fault: Fault) -> World {
    let wrong = Arc::new(Wrong { fault, provider: Arc::default(), calls: AtomicU32::new(0) });
    let order = OrderId::from(Uuid::from_u128(7));
    World { provider: wrong.clone(), control: Arc::new(WrongControl(wrong)), order }
}

#[tokio::test]
async fn each_fault_violates_the_expected_contracts() {
    for (fault, expected) in [
        (
            Fault::ForgetsKeys,
            &["reusing_a_key_creates_no_second_intent", "a_key_cannot_be_reused_for_another_request"][..],
        ),
        (
            Fault::ChargesAgain,
            &[
                "repeated_confirmations_charge_once",
                "concurrent_confirmations_charge_once",
                "an_expired_key_creates_another_intent_and_charges_no_intent_twice",
            ],
        ),
        (
            Fault::CancelsNothing,
            &[
                "a_cancelled_intent_is_never_charged",
                "a_charged_intent_cannot_be_cancelled",
                "a_declined_intent_is_not_charged_and_can_be_cancelled",
                "an_intent_in_processing_can_be_neither_confirmed_nor_cancelled_until_it_ends",
                "reusing_a_key_returns_the_first_response",
                "an_unknown_intent_is_a_client_error",
            ],
        ),
        (
            Fault::ChargesAtOnce,
            &[
                "creating_an_intent_does_not_charge",
                "reusing_a_key_creates_no_second_intent",
                "a_key_cannot_be_reused_for_another_request",
                "a_cancelled_intent_is_never_charged",
                "an_expired_key_creates_another_intent_and_charges_no_intent_twice",
            ],
        ),
        (
            Fault::KeepsKeys,
            &[
                "reusing_a_key_returns_the_first_response",
                "an_expired_key_creates_another_intent_and_charges_no_intent_twice",
            ],
        ),
    ] {
        assert_violations(violations(async || Ok(world(fault))).await, expected);
    }
}

#[test]
fn random_calls_detect_a_wrong_provider() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let check = |make: fn() -> World| {
        differential::check_equivalence(SEQUENCES, differential::provider::calls(), |calls| {
            runtime.block_on(differential::provider::compare(calls, [provider_world(), make()]))
        })
    };
    assert_detected(check(|| world(Fault::ForgetsKeys)), "Create");
    assert_detected(check(|| world(Fault::ChargesAgain)), "Confirm");
    assert_detected(check(|| world(Fault::CancelsNothing)), "Cancel");
    assert_detected(check(|| world(Fault::KeepsKeys)), "Forget");
    check(provider_world).unwrap();
}
