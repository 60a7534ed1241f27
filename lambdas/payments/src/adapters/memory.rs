//! The ports in memory, for tests and simulations. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::payment::{DeclineReason, IntentStatus, Payment};
use domain::{OrderId, PaymentIntentId};
use platform::memory::{Failures, lock};

use crate::provider::{NewIntent, Provider, ProviderError};
use crate::store::Payments;

/// Payment records.
#[derive(Debug, Default)]
pub struct InMemoryPayments {
    records: Mutex<BTreeMap<OrderId, Payment>>,
    /// Of every call, before it has its effect.
    pub failures: Failures,
    /// Of writes: written, but told that they were not, as when a write comes twice because its answer was lost.
    pub doubtful_writes: Failures,
}

#[async_trait]
impl Payments for InMemoryPayments {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>> {
        self.failures.strike("reading a payment")?;
        Ok(lock(&self.records).get(&order).cloned())
    }

    async fn write(&self, payment: &Payment) -> anyhow::Result<bool> {
        self.failures.strike("writing a payment")?;
        let mut records = lock(&self.records);
        let version = records.get(&payment.order_id).map_or(0, |record| record.version);
        if payment.version.checked_sub(1) != Some(version) {
            return Ok(false);
        }
        records.insert(payment.order_id, payment.clone());
        Ok(self.doubtful_writes.strike("telling of it").is_ok())
    }
}

/// A payment provider that behaves as Stripe's PaymentIntents do. What becomes of a confirmation, the payment
/// method says: `pm_declined` is declined, `pm_slow` is left to be processed, `pm_unknown` is not known, and all
/// others are charged.
#[derive(Debug, Default)]
pub struct InMemoryProvider {
    account: Mutex<Account>,
    /// Of requests that get lost on their way.
    pub lost_requests: Failures,
    /// Of answers that get lost on their way back.
    pub lost_answers: Failures,
}

#[derive(Debug, Default)]
struct Account {
    intents: Vec<Intent>,
    created: BTreeMap<String, usize>,
    calls: Vec<&'static str>,
}

#[derive(Debug)]
struct Intent {
    order: OrderId,
    method: String,
    status: IntentStatus,
    captures: u32,
}

impl InMemoryProvider {
    /// The calls that arrived, in order: `create`, `retrieve`, `confirm`, `cancel`.
    pub fn calls(&self) -> Vec<&'static str> {
        lock(&self.account).calls.clone()
    }

    /// How often an order was charged.
    pub fn captures(&self, order: OrderId) -> u32 {
        let account = lock(&self.account);
        account.intents.iter().filter(|intent| intent.order == order).map(|intent| intent.captures).sum()
    }

    /// Forgets every idempotency key, as Stripe may after 24 hours.
    pub fn forget_keys(&self) {
        lock(&self.account).created.clear();
    }

    /// Brings what is being processed to its end.
    pub fn process(&self) {
        let mut account = lock(&self.account);
        for intent in account.intents.iter_mut().filter(|intent| intent.status == IntentStatus::Processing) {
            intent.status = IntentStatus::Succeeded;
            intent.captures += 1;
        }
    }

    fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut Account) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        self.lost_requests.strike("the request")?;
        let mut account = lock(&self.account);
        account.calls.push(name);
        let answer = effect(&mut account);
        self.lost_answers.strike("the answer")?;
        answer
    }

    fn with<T>(
        &self,
        name: &'static str,
        id: &PaymentIntentId,
        effect: impl FnOnce(&mut Intent) -> T,
    ) -> Result<T, ProviderError> {
        self.call(name, |account| {
            let index = id.as_str().trim_start_matches("pi_").parse::<usize>().ok();
            let intent = index.and_then(|index| account.intents.get_mut(index));
            intent.map(effect).ok_or_else(|| ProviderError::Misunderstood(format!("no PaymentIntent {id}")))
        })
    }
}

fn reason(code: &str) -> DeclineReason {
    DeclineReason { code: code.to_owned(), decline_code: None }
}

#[async_trait]
impl Provider for InMemoryProvider {
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        self.call("create", |account| {
            if intent.payment_method.as_str() == "pm_unknown" {
                return Err(ProviderError::Refused(reason("resource_missing")));
            }
            let next = account.intents.len();
            let index = *account.created.entry(intent.idempotency_key).or_insert(next);
            if index == next {
                account.intents.push(Intent {
                    order: intent.order_id,
                    method: intent.payment_method.to_string(),
                    status: IntentStatus::Unconfirmed,
                    captures: 0,
                });
            }
            format!("pi_{index}").parse().map_err(|error| anyhow::Error::new(error).into())
        })
    }

    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.with("retrieve", intent, |intent| intent.status.clone())
    }

    async fn confirm(&self, intent: &PaymentIntentId, _key: &str) -> Result<IntentStatus, ProviderError> {
        self.with("confirm", intent, |intent| {
            if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
                intent.status = match intent.method.as_str() {
                    "pm_declined" => IntentStatus::Declined(reason("card_declined")),
                    "pm_slow" => IntentStatus::Processing,
                    _ => {
                        intent.captures += 1;
                        IntentStatus::Succeeded
                    }
                };
            }
            intent.status.clone()
        })
    }

    async fn cancel(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.with("cancel", intent, |intent| {
            if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
                intent.status = IntentStatus::Cancelled;
            }
            intent.status.clone()
        })
    }
}
