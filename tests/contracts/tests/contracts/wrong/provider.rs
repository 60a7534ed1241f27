//! Wrong payment providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use contracts::differential;
use contracts::provider::{Books, World, broken};
use domain::payment::IntentStatus;
use domain::{OrderId, PaymentIntentId};
use payments::provider::{NewIntent, Provider, ProviderError};
use uuid::Uuid;

use super::{breaks, told_apart};
use crate::memory::{InMemoryProvider, ProviderBooks, provider_world};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Knows no idempotency key.
    ForgetsKeys,
    /// Takes money each time that it is told to.
    ChargesAgain,
    /// Says that it has cancelled, and has not.
    CancelsNothing,
    /// Charges what is only to be made.
    ChargesAtOnce,
    /// Remembers a key for ever.
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

struct WrongBooks(Arc<Wrong>);

#[async_trait]
impl Books for WrongBooks {
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize> {
        let once = ProviderBooks(self.0.provider.clone()).captures(order).await?;
        let again = self.0.calls.load(Ordering::SeqCst);
        Ok(once + if self.0.fault == Fault::ChargesAgain { usize::try_from(again)? } else { 0 })
    }

    async fn forget(&self, key: &str) -> anyhow::Result<()> {
        if self.0.fault == Fault::KeepsKeys {
            return Ok(());
        }
        ProviderBooks(self.0.provider.clone()).forget(key).await
    }
}

fn world(fault: Fault) -> World {
    let wrong = Arc::new(Wrong { fault, provider: Arc::default(), calls: AtomicU32::new(0) });
    let order = OrderId::from(Uuid::from_u128(7));
    World { provider: wrong.clone(), books: Arc::new(WrongBooks(wrong)), order }
}

#[tokio::test]
async fn each_fault_breaks_what_it_should() {
    for (fault, expected) in [
        (Fault::ForgetsKeys, &["the_same_key_makes_no_second_intent", "a_key_is_for_one_request"][..]),
        (
            Fault::ChargesAgain,
            &[
                "a_confirmation_charges_once_however_often",
                "of_many_confirmations_at_once_one_charges",
                "a_forgotten_key_makes_another_intent_and_charges_no_intent_twice",
            ],
        ),
        (
            Fault::CancelsNothing,
            &[
                "what_is_cancelled_is_never_charged",
                "what_is_charged_is_not_cancelled",
                "what_is_declined_is_not_charged_and_can_be_cancelled",
                "the_same_key_gets_the_answer_that_it_got",
                "an_intent_that_is_not_there_is_a_fault_of_ours",
            ],
        ),
        (
            Fault::ChargesAtOnce,
            &[
                "making_an_intent_charges_nothing",
                "the_same_key_makes_no_second_intent",
                "a_key_is_for_one_request",
                "what_is_cancelled_is_never_charged",
                "a_forgotten_key_makes_another_intent_and_charges_no_intent_twice",
            ],
        ),
        (
            Fault::KeepsKeys,
            &[
                "the_same_key_gets_the_answer_that_it_got",
                "a_forgotten_key_makes_another_intent_and_charges_no_intent_twice",
            ],
        ),
    ] {
        breaks(broken(async || Ok(world(fault))).await, expected);
    }
}

#[test]
fn random_calls_tell_a_wrong_provider_from_a_right_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let judge = |make: fn() -> World| {
        differential::agree(60, differential::provider::calls(), |calls| {
            runtime.block_on(differential::provider::compare(calls, [provider_world(), make()]))
        })
    };
    told_apart(judge(|| world(Fault::ForgetsKeys)), "Create");
    told_apart(judge(|| world(Fault::ChargesAgain)), "Confirm");
    told_apart(judge(|| world(Fault::CancelsNothing)), "Cancel");
    told_apart(judge(|| world(Fault::KeepsKeys)), "Forget");
    judge(provider_world).unwrap();
}
