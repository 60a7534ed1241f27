//! The ports in memory, for tests and simulations. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::payment::{DeclineReason, IntentStatus, Payment};
use domain::{Money, OrderId, PaymentIntentId, PaymentMethodId};
use platform::memory::{InjectedFaults, lock};

use crate::provider::{NewIntent, Provider, ProviderError};
use crate::store::Payments;

/// Payment records.
#[derive(Debug, Default)]
pub struct InMemoryPayments {
    records: Mutex<BTreeMap<OrderId, Payment>>,
    /// Of every call, before it has its effect.
    pub failures: InjectedFaults,
    /// Of writes: written, but told that they were not, as when a write comes twice because its answer was lost.
    pub doubtful_writes: InjectedFaults,
}

impl InMemoryPayments {
    /// All records.
    pub fn all(&self) -> BTreeMap<OrderId, Payment> {
        lock(&self.records).clone()
    }
}

#[async_trait]
impl Payments for InMemoryPayments {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>> {
        self.failures.check("reading a payment")?;
        Ok(lock(&self.records).get(&order).cloned())
    }

    async fn write(&self, payment: &Payment) -> anyhow::Result<bool> {
        self.failures.check("writing a payment")?;
        let mut records = lock(&self.records);
        let version = records.get(&payment.order_id).map_or(0, |record| record.version);
        if payment.version.checked_sub(1) != Some(version) {
            return Ok(false);
        }
        records.insert(payment.order_id, payment.clone());
        Ok(self.doubtful_writes.check("telling of it").is_ok())
    }
}

/// A payment provider that behaves as Stripe's PaymentIntents do. What becomes of a confirmation, the payment
/// method says: Stripe's test cards for declines are declined as there, and so is `pm_declined`; `pm_slow` is left
/// to be processed, `pm_unknown` is not known, and all others are charged.
#[derive(Debug, Default)]
pub struct InMemoryProvider {
    account: Mutex<Account>,
    /// Of requests that get lost on their way.
    pub lost_requests: InjectedFaults,
    /// Of answers that get lost on their way back.
    pub lost_answers: InjectedFaults,
}

#[derive(Debug, Default)]
struct Account {
    intents: Vec<Intent>,
    keys: BTreeMap<String, (Request, Kept)>,
    calls: Vec<&'static str>,
    news: Vec<News>,
}

/// What became of a PaymentIntent, as a webhook tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Which PaymentIntent.
    pub intent: PaymentIntentId,
    /// The order that it was made for.
    pub order: OrderId,
    /// How it stands since then.
    pub status: IntentStatus,
}

#[derive(Debug)]
struct Intent {
    order: OrderId,
    amount: Money,
    method: String,
    status: IntentStatus,
    captures: u32,
}

/// What an idempotency key was used for: it is for nothing else.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Create(OrderId, Money, PaymentMethodId),
    Confirm(PaymentIntentId),
}

/// What is answered again to the same key, whatever has become of the PaymentIntent since.
#[derive(Debug, Clone)]
enum Kept {
    Created(usize),
    Refused(DeclineReason),
    Confirmed(IntentStatus),
}

impl Account {
    fn keyed(
        &mut self,
        key: String,
        request: Request,
        work: impl FnOnce(&mut Self) -> Result<Kept, ProviderError>,
    ) -> Result<Kept, ProviderError> {
        if let Some((before, kept)) = self.keys.get(&key) {
            return if *before == request {
                Ok(kept.clone())
            } else {
                Err(anyhow::anyhow!("the key {key} was used for another request").into())
            };
        }
        let kept = work(self)?;
        self.keys.insert(key, (request, kept.clone()));
        Ok(kept)
    }

    /// Notes how a PaymentIntent stands now, for whoever is told of it.
    fn tell(&mut self, id: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        let intent = self.intent(id)?;
        let (order, status) = (intent.order, intent.status.clone());
        self.news.push(News { intent: id.clone(), order, status: status.clone() });
        Ok(status)
    }

    fn intent(&mut self, id: &PaymentIntentId) -> Result<&mut Intent, ProviderError> {
        let index = id.as_str().trim_start_matches("pi_").parse::<usize>().ok();
        let intent = index.and_then(|index| self.intents.get_mut(index));
        intent.ok_or_else(|| ProviderError::Misunderstood(format!("no PaymentIntent {id}")))
    }
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

    /// Every PaymentIntent: its id, its order, and what was taken, in minor units.
    pub fn intents(&self) -> Vec<(String, OrderId, i64)> {
        let account = lock(&self.account);
        let taken = |intent: &Intent| i64::from(intent.amount.amount).saturating_mul(intent.captures.into());
        let intents = account.intents.iter().enumerate();
        intents.map(|(index, intent)| (format!("pi_{index}"), intent.order, taken(intent))).collect()
    }

    /// Forgets every idempotency key, as Stripe may after 24 hours.
    pub fn forget_keys(&self) {
        lock(&self.account).keys.clear();
    }

    /// Brings what is being processed to its end.
    pub fn process(&self) {
        let mut account = lock(&self.account);
        let Account { intents, news, .. } = &mut *account;
        for (index, intent) in intents.iter_mut().enumerate() {
            let (IntentStatus::Processing, Ok(id)) = (&intent.status, format!("pi_{index}").parse()) else {
                continue;
            };
            intent.status = IntentStatus::Succeeded;
            intent.captures += 1;
            news.push(News { intent: id, order: intent.order, status: IntentStatus::Succeeded });
        }
    }

    /// What became of PaymentIntents since this was last asked for, in order.
    pub fn take_news(&self) -> Vec<News> {
        std::mem::take(&mut lock(&self.account).news)
    }

    fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut Account) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        self.lost_requests.check("the request")?;
        let mut account = lock(&self.account);
        account.calls.push(name);
        let answer = effect(&mut account);
        self.lost_answers.check("the answer")?;
        answer
    }
}

fn reason(code: &str, decline_code: Option<&str>) -> DeclineReason {
    DeclineReason { code: code.to_owned(), decline_code: decline_code.map(str::to_owned) }
}

/// Why a card is declined; `None` where it is not. <https://docs.stripe.com/testing#declined-payments>
fn decline(payment_method: &str) -> Option<DeclineReason> {
    Some(match payment_method {
        "pm_declined" => reason("card_declined", None),
        "pm_card_visa_chargeDeclined" => reason("card_declined", Some("generic_decline")),
        "pm_card_visa_chargeDeclinedInsufficientFunds" => reason("card_declined", Some("insufficient_funds")),
        "pm_card_visa_chargeDeclinedLostCard" => reason("card_declined", Some("lost_card")),
        "pm_card_visa_chargeDeclinedStolenCard" => reason("card_declined", Some("stolen_card")),
        "pm_card_chargeDeclinedExpiredCard" => reason("expired_card", None),
        "pm_card_chargeDeclinedIncorrectCvc" => reason("incorrect_cvc", None),
        "pm_card_chargeDeclinedProcessingError" => reason("processing_error", None),
        "pm_card_authenticationRequired" => {
            reason("authentication_required", Some("authentication_required"))
        }
        _ => return None,
    })
}

#[async_trait]
impl Provider for InMemoryProvider {
    async fn create(&self, intent: NewIntent) -> Result<PaymentIntentId, ProviderError> {
        let NewIntent { order_id: order, amount, payment_method, idempotency_key } = intent;
        self.call("create", |account| {
            let request = Request::Create(order, amount, payment_method.clone());
            let kept = account.keyed(idempotency_key, request, |account| {
                if payment_method.as_str() == "pm_unknown" {
                    return Ok(Kept::Refused(reason("resource_missing", None)));
                }
                account.intents.push(Intent {
                    order,
                    amount,
                    method: payment_method.to_string(),
                    status: IntentStatus::Unconfirmed,
                    captures: 0,
                });
                Ok(Kept::Created(account.intents.len() - 1))
            });
            match kept? {
                Kept::Created(index) => {
                    format!("pi_{index}").parse().map_err(|error| anyhow::Error::new(error).into())
                }
                Kept::Refused(reason) => Err(ProviderError::Refused(reason)),
                Kept::Confirmed(_) => Err(ProviderError::Misunderstood("the key of a confirmation".into())),
            }
        })
    }

    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.call("retrieve", |account| Ok(account.intent(intent)?.status.clone()))
    }

    async fn confirm(&self, id: &PaymentIntentId, key: &str) -> Result<IntentStatus, ProviderError> {
        self.call("confirm", |account| {
            let kept = account.keyed(key.to_owned(), Request::Confirm(id.clone()), |account| {
                let intent = account.intent(id)?;
                if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
                    intent.status = match (intent.method.as_str(), decline(&intent.method)) {
                        (_, Some(reason)) => IntentStatus::Declined(reason),
                        ("pm_slow", None) => IntentStatus::Processing,
                        _ => {
                            intent.captures += 1;
                            IntentStatus::Succeeded
                        }
                    };
                    account.tell(id)?;
                }
                Ok(Kept::Confirmed(account.intent(id)?.status.clone()))
            });
            match kept? {
                Kept::Confirmed(status) => Ok(status),
                Kept::Created(_) | Kept::Refused(_) => {
                    Err(ProviderError::Misunderstood("the key of another request".into()))
                }
            }
        })
    }

    async fn cancel(&self, id: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.call("cancel", |account| {
            let intent = account.intent(id)?;
            if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
                intent.status = IntentStatus::Cancelled;
                account.tell(id)?;
            }
            Ok(account.intent(id)?.status.clone())
        })
    }
}
