//! In-memory implementations of the ports, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::charge::check_charge;
use domain::payment::{IntentStatus, Payment};
use domain::{DeclineReason, Money, OrderId, PaymentIntentId, PaymentMethodId};
use platform::lock;
use platform::memory::InjectedFaults;

use crate::provider::{NewIntent, Provider, ProviderError};
use crate::store::Payments;

/// The payment records.
#[derive(Debug, Default)]
pub struct InMemoryPayments {
    records: Mutex<BTreeMap<OrderId, Payment>>,
    /// Faults of any call, before it takes effect.
    pub failures: InjectedFaults,
    /// Writes that succeed but report a conflict, as when a client retries a write whose response was lost.
    pub false_conflicts: InjectedFaults,
}

impl InMemoryPayments {
    /// Returns all records.
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
        Ok(self.false_conflicts.check("reporting the write").is_ok())
    }
}

/// A payment provider that behaves like Stripe's PaymentIntents. The payment method decides the outcome of a
/// confirmation: Stripe's test cards for declines are declined as at Stripe, and so is `pm_declined`; `pm_slow`,
/// `pm_slow_declined` and the stand-in's `pm_card_processing` stay in processing, `pm_unknown` does not exist, and all
/// others are charged.
#[derive(Debug, Default)]
pub struct InMemoryProvider {
    account: Mutex<Account>,
    /// Requests that are lost before they take effect.
    pub lost_requests: InjectedFaults,
    /// Responses that are lost after the request has taken effect.
    pub lost_responses: InjectedFaults,
}

#[derive(Debug, Default)]
struct Account {
    intents: Vec<Intent>,
    keys: BTreeMap<String, (Request, StoredResponse)>,
    calls: Vec<&'static str>,
    updates: Vec<IntentUpdate>,
}

/// A status change of a PaymentIntent, as a webhook reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentUpdate {
    /// The id of the PaymentIntent.
    pub intent: PaymentIntentId,
    /// The order that the PaymentIntent pays.
    pub order: OrderId,
    /// The new status.
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

/// The request that an idempotency key was used for. Any other request with the key fails.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    Create(OrderId, Money, PaymentMethodId),
    Confirm(PaymentIntentId),
}

/// The response that is replayed for an idempotency key, even if the PaymentIntent has changed since.
#[derive(Debug, Clone)]
enum StoredResponse {
    Created(usize),
    Refused(DeclineReason),
    Confirmed(IntentStatus),
}

impl Account {
    fn idempotent(
        &mut self,
        key: String,
        request: Request,
        work: impl FnOnce(&mut Self) -> Result<StoredResponse, ProviderError>,
    ) -> Result<StoredResponse, ProviderError> {
        if let Some((first, stored)) = self.keys.get(&key) {
            return if *first == request {
                Ok(stored.clone())
            } else {
                Err(anyhow::anyhow!("the idempotency key {key} was used for another request").into())
            };
        }
        let stored = work(self)?;
        self.keys.insert(key, (request, stored.clone()));
        Ok(stored)
    }

    /// Records the current status of a PaymentIntent, for the webhooks.
    fn record_update(&mut self, id: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        let intent = self.intent(id)?;
        let (order, status) = (intent.order, intent.status.clone());
        self.updates.push(IntentUpdate { intent: id.clone(), order, status: status.clone() });
        Ok(status)
    }

    fn intent(&mut self, id: &PaymentIntentId) -> Result<&mut Intent, ProviderError> {
        let index = id.as_str().trim_start_matches("pi_").parse::<usize>().ok();
        let intent = index.and_then(|index| self.intents.get_mut(index));
        intent.ok_or_else(|| ProviderError::InvalidRequest(format!("no PaymentIntent {id}")))
    }
}

impl InMemoryProvider {
    /// Returns the calls that arrived, in order: `create`, `retrieve`, `confirm`, `cancel`.
    pub fn calls(&self) -> Vec<&'static str> {
        lock(&self.account).calls.clone()
    }

    /// Returns how often an order was charged.
    pub fn captures(&self, order: OrderId) -> u32 {
        let account = lock(&self.account);
        account.intents.iter().filter(|intent| intent.order == order).map(|intent| intent.captures).sum()
    }

    /// Returns the id, the order and the captured amount (in minor units) of every PaymentIntent.
    pub fn intents(&self) -> Vec<(String, OrderId, i64)> {
        let account = lock(&self.account);
        let captured =
            |intent: &Intent| i64::from(intent.amount.amount).saturating_mul(intent.captures.into());
        let intents = account.intents.iter().enumerate();
        intents.map(|(index, intent)| (format!("pi_{index}"), intent.order, captured(intent))).collect()
    }

    /// Deletes all idempotency keys, as Stripe may after 24 hours.
    pub fn forget_keys(&self) {
        lock(&self.account).keys.clear();
    }

    /// Completes all PaymentIntents that are being processed: they succeed, except those of `pm_slow_declined`.
    pub fn complete_processing(&self) {
        self.end_processing(|method| match method {
            "pm_slow_declined" => IntentStatus::Declined(reason("card_declined", None)),
            _ => IntentStatus::Succeeded,
        });
    }

    /// Ends the processing of all PaymentIntents that are being processed, with this status.
    pub fn finish_processing(&self, status: &IntentStatus) {
        self.end_processing(|_| status.clone());
    }

    /// Ends the processing of all PaymentIntents that are being processed, with a status for each payment method.
    fn end_processing(&self, status_of: impl Fn(&str) -> IntentStatus) {
        let mut account = lock(&self.account);
        let Account { intents, updates, .. } = &mut *account;
        for (index, intent) in intents.iter_mut().enumerate() {
            let (IntentStatus::Processing, Ok(id)) = (&intent.status, format!("pi_{index}").parse()) else {
                continue;
            };
            intent.status = status_of(&intent.method);
            intent.captures += u32::from(intent.status == IntentStatus::Succeeded);
            updates.push(IntentUpdate { intent: id, order: intent.order, status: intent.status.clone() });
        }
    }

    /// Removes and returns the status changes since the last call, in order.
    pub fn take_updates(&self) -> Vec<IntentUpdate> {
        std::mem::take(&mut lock(&self.account).updates)
    }

    fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut Account) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        self.lost_requests.check("the request")?;
        let mut account = lock(&self.account);
        account.calls.push(name);
        let response = effect(&mut account);
        self.lost_responses.check("the response")?;
        response
    }
}

fn reason(code: &str, decline_code: Option<&str>) -> DeclineReason {
    DeclineReason { code: code.to_owned(), decline_code: decline_code.map(str::to_owned) }
}

/// Returns why no PaymentIntent of an amount is created, or `None` if one is.
fn refusal(amount: Money) -> Option<DeclineReason> {
    if amount.is_zero() {
        return Some(DeclineReason::from_code("parameter_invalid_integer"));
    }
    check_charge(amount).err().map(|error| error.to_decline_reason())
}

/// Returns why a card is declined, or `None` if it is not:
/// <https://docs.stripe.com/testing#declined-payments>
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
            let stored = account.idempotent(idempotency_key, request, |account| {
                // Nothing is stored for a request with invalid parameters.
                if let Some(reason) = refusal(amount) {
                    return Err(ProviderError::Refused(reason));
                }
                if payment_method.as_str() == "pm_unknown" {
                    return Ok(StoredResponse::Refused(reason("resource_missing", None)));
                }
                account.intents.push(Intent {
                    order,
                    amount,
                    method: payment_method.to_string(),
                    status: IntentStatus::Unconfirmed,
                    captures: 0,
                });
                Ok(StoredResponse::Created(account.intents.len() - 1))
            });
            match stored? {
                StoredResponse::Created(index) => {
                    format!("pi_{index}").parse().map_err(|error| anyhow::Error::new(error).into())
                }
                StoredResponse::Refused(reason) => Err(ProviderError::Refused(reason)),
                StoredResponse::Confirmed(_) => Err(ProviderError::InvalidRequest(
                    "the idempotency key was used for a confirmation".into(),
                )),
            }
        })
    }

    async fn retrieve(&self, intent: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.call("retrieve", |account| Ok(account.intent(intent)?.status.clone()))
    }

    async fn confirm(&self, id: &PaymentIntentId, key: &str) -> Result<IntentStatus, ProviderError> {
        self.call("confirm", |account| {
            let stored = account.idempotent(key.to_owned(), Request::Confirm(id.clone()), |account| {
                let intent = account.intent(id)?;
                if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
                    intent.status = match (intent.method.as_str(), decline(&intent.method)) {
                        (_, Some(reason)) => IntentStatus::Declined(reason),
                        ("pm_slow" | "pm_slow_declined" | "pm_card_processing", None) => {
                            IntentStatus::Processing
                        }
                        _ => {
                            intent.captures += 1;
                            IntentStatus::Succeeded
                        }
                    };
                    account.record_update(id)?;
                }
                Ok(StoredResponse::Confirmed(account.intent(id)?.status.clone()))
            });
            match stored? {
                StoredResponse::Confirmed(status) => Ok(status),
                StoredResponse::Created(_) | StoredResponse::Refused(_) => Err(
                    ProviderError::InvalidRequest("the idempotency key was used for another request".into()),
                ),
            }
        })
    }

    async fn cancel(&self, id: &PaymentIntentId) -> Result<IntentStatus, ProviderError> {
        self.call("cancel", |account| {
            let intent = account.intent(id)?;
            if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::Declined(_)) {
                intent.status = IntentStatus::Cancelled;
                account.record_update(id)?;
            }
            Ok(account.intent(id)?.status.clone())
        })
    }
}
