//! The payment: the arbiter of whether an order is charged or never will be.
//!
//! A payment is decided one step at a time. [`decide`] looks at the record as it was read and at what the
//! provider last said, and names the one [`Step`] to take next; the caller takes it and asks again. Each write
//! stands on condition that the record is still as it was read, so of two callers one goes on and the other
//! reads again. Two things keep a customer from being charged twice, whatever crashes or comes late:
//!
//! - only the provider's PaymentIntent whose id is in the record is ever confirmed, and the id is written
//!   before that; the provider captures a PaymentIntent at most once;
//! - whoever finds a record that somebody else left asks the provider what became of its PaymentIntent before
//!   doing anything, and a PaymentIntent is cancelled at the provider before the record says that it never
//!   will be charged, so that a confirmation still on its way fails.
//!
//! Sources: <https://docs.stripe.com/payments/paymentintents/lifecycle>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Cause, Event, Fact, PaymentFailed, PaymentSucceeded, PaymentVoided};
use crate::id::{OrderId, PaymentIntentId};
use crate::lease::{Attempt, Lease};
use crate::order::OrderDetails;

/// Who wants an order not to be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// The customer.
    CustomerRequest,
    /// The clock: it waited too long.
    Expired,
    /// A person who cancelled the PaymentIntent at the provider.
    Provider,
}

impl VoidReason {
    /// Its name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::CustomerRequest => "customer_request",
            Self::Expired => "expired",
            Self::Provider => "provider",
        }
    }
}

/// Why the provider would not charge, in its own codes (<https://docs.stripe.com/declines/codes>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct DeclineReason {
    /// `card_declined`, `expired_card`, `resource_missing`, …
    pub code: String,
    /// What the card's issuer said, where it said anything: `insufficient_funds`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<String>,
}

/// How a payment that is not charged is being brought to its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Somebody asked for it.
    Void(VoidReason),
    /// The provider declined.
    Decline(DeclineReason),
}

/// Where a payment stands. All but `Charging` are final, but for refunds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PaymentState {
    /// Somebody is at it, or was.
    Charging {
        /// Who, and until when.
        lease: Lease,
        /// Counts the leases. Part of every idempotency key, because the provider answers a key it has seen
        /// with what it answered before, even when that was its own failure.
        attempt: u32,
        /// The provider's PaymentIntent. Written before it is confirmed.
        intent: Option<PaymentIntentId>,
        /// Set when it is not to be charged any more. Written before the PaymentIntent is cancelled.
        ending: Option<Ending>,
    },
    /// Charged.
    Succeeded {
        /// The provider's PaymentIntent.
        intent: PaymentIntentId,
        /// When that was written.
        at: Timestamp,
    },
    /// Not charged: the provider declined.
    Declined {
        /// Why.
        reason: DeclineReason,
        /// When that was written.
        at: Timestamp,
    },
    /// Not charged: somebody asked for that in time.
    Voided {
        /// Who.
        reason: VoidReason,
        /// When that was written.
        at: Timestamp,
    },
}

/// The record of an order's payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payment {
    /// Which order.
    pub order_id: OrderId,
    /// What is charged, and to whom.
    pub order: OrderDetails,
    /// What led to the record. Kept, so that its outcome is published alike however often.
    pub cause: Cause,
    /// Goes up by one with every write: the condition of the next.
    pub version: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: PaymentState,
}

/// What a caller wants of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// The customer charged.
    Charge,
    /// The customer never charged.
    Void(VoidReason),
}

/// What the provider last said to this attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProviderObservation {
    /// Nothing yet.
    Nothing,
    /// It made this PaymentIntent.
    Created(PaymentIntentId),
    /// It would not make one, and never will.
    Refused(DeclineReason),
    /// The PaymentIntent of the record stands so.
    Status(IntentStatus),
}

/// The states of a PaymentIntent, as far as they lead to different steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IntentStatus {
    /// Made, and not confirmed.
    Unconfirmed,
    /// The provider is at it.
    Processing,
    /// The customer was charged.
    Succeeded,
    /// It was tried and not charged. It could be tried again, so it has to be cancelled.
    Declined(DeclineReason),
    /// It can no longer be charged.
    Cancelled,
}

/// The one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Write this record on condition that the one that was read still stands.
    Write(Box<Payment>),
    /// Have the provider make a PaymentIntent for the order's total.
    CreateIntent {
        /// Sent with it.
        idempotency_key: String,
    },
    /// Ask the provider how the PaymentIntent stands.
    Retrieve(PaymentIntentId),
    /// Have the provider charge the PaymentIntent.
    Confirm {
        /// Which.
        intent: PaymentIntentId,
        /// Sent with it.
        idempotency_key: String,
    },
    /// Have the provider never charge the PaymentIntent.
    Cancel(PaymentIntentId),
    /// The payment is final: publish this.
    Publish(Box<Event>),
    /// Come again: when somebody else's lease has ended, or later, because the provider is at it.
    Wait {
        /// When the lease ends that is in the way.
        until: Option<Timestamp>,
    },
}

/// Names the next step towards `goal`, from the record as read and from what the provider last said.
///
/// `order` and `cause` are what the caller's event says; they count only where there is no record yet.
pub fn decide(
    read: Option<&Payment>,
    goal: Goal,
    seen: &ProviderObservation,
    request: &Request<'_>,
    attempt: &Attempt,
) -> Step {
    let Some(payment) = read else {
        let state = match goal {
            Goal::Charge => {
                PaymentState::Charging { lease: attempt.lease(), attempt: 1, intent: None, ending: None }
            }
            Goal::Void(reason) => PaymentState::Voided { reason, at: attempt.now },
        };
        return Step::Write(Box::new(Payment {
            order_id: request.order_id,
            order: request.order.clone(),
            cause: request.cause.clone(),
            version: 1,
            state,
        }));
    };
    let PaymentState::Charging { lease, attempt: count, intent, ending } = &payment.state else {
        return payment.outcome_event().map_or(Step::Wait { until: None }, |event| Step::Publish(Box::new(event)));
    };
    let write = |state: PaymentState| Step::Write(Box::new(payment.next(state)));
    let charging = |intent: Option<PaymentIntentId>, ending: Option<Ending>| {
        write(PaymentState::Charging { lease: *lease, attempt: *count, intent, ending })
    };
    let end = |ending: &Ending| {
        write(match ending {
            Ending::Void(reason) => PaymentState::Voided { reason: *reason, at: attempt.now },
            Ending::Decline(reason) => PaymentState::Declined { reason: reason.clone(), at: attempt.now },
        })
    };

    if lease.owner != attempt.owner {
        if lease.blocks(attempt) {
            return Step::Wait { until: Some(lease.expires_at) };
        }
        return write(PaymentState::Charging {
            lease: attempt.lease(),
            attempt: count.saturating_add(1),
            intent: intent.clone(),
            ending: ending.clone(),
        });
    }
    // The record is ours from here on: nobody else writes it before the lease ends.
    if let (None, Goal::Void(reason)) = (ending, goal) {
        return charging(intent.clone(), Some(Ending::Void(reason)));
    }
    match (intent, seen) {
        // A PaymentIntent that is not in the record is never confirmed, so there is nothing to cancel.
        (None, _) if let Some(ending) = ending => end(ending),
        (None, ProviderObservation::Created(id)) => charging(Some(id.clone()), None),
        (None, ProviderObservation::Refused(reason)) => end(&Ending::Decline(reason.clone())),
        (None, ProviderObservation::Nothing | ProviderObservation::Status(_)) => {
            Step::CreateIntent { idempotency_key: format!("{}/create/{count}", payment.order_id) }
        }
        (Some(id), ProviderObservation::Created(created)) if created == id && ending.is_none() => confirm(id, *count),
        (Some(id), ProviderObservation::Nothing | ProviderObservation::Created(_) | ProviderObservation::Refused(_)) => Step::Retrieve(id.clone()),
        (Some(id), ProviderObservation::Status(status)) => match (status, ending) {
            (IntentStatus::Succeeded, _) => {
                write(PaymentState::Succeeded { intent: id.clone(), at: attempt.now })
            }
            (IntentStatus::Processing, _) => Step::Wait { until: None },
            (IntentStatus::Unconfirmed, None) => confirm(id, *count),
            (IntentStatus::Declined(reason), None) => {
                charging(Some(id.clone()), Some(Ending::Decline(reason.clone())))
            }
            (IntentStatus::Unconfirmed | IntentStatus::Declined(_), Some(_)) => Step::Cancel(id.clone()),
            (IntentStatus::Cancelled, Some(ending)) => end(ending),
            (IntentStatus::Cancelled, None) => end(&Ending::Void(VoidReason::Provider)),
        },
    }
}

/// What the event that a caller handles says about the order.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Which order.
    pub order_id: OrderId,
    /// What is to be charged, and to whom.
    pub order: &'a OrderDetails,
    /// The event itself, as the cause of what follows.
    pub cause: &'a Cause,
}

fn confirm(intent: &PaymentIntentId, attempt: u32) -> Step {
    Step::Confirm { intent: intent.clone(), idempotency_key: format!("{intent}/confirm/{attempt}") }
}

impl Payment {
    fn next(&self, state: PaymentState) -> Self {
        Self { version: self.version.saturating_add(1), state, ..self.clone() }
    }

    /// The record with the lease given up, for an attempt that has to come again later: the next one need not
    /// wait for the lease to end. `None` where `attempt` holds no lease.
    pub fn release_lease(&self, attempt: &Attempt) -> Option<Self> {
        match &self.state {
            PaymentState::Charging { lease, attempt: count, intent, ending }
                if lease.owner == attempt.owner =>
            {
                Some(self.next(PaymentState::Charging {
                    lease: lease.released(attempt.now),
                    attempt: *count,
                    intent: intent.clone(),
                    ending: ending.clone(),
                }))
            }
            _ => None,
        }
    }

    /// Whether it is being charged with this PaymentIntent, so that news of it may bring the payment on.
    pub fn is_charging(&self, intent: &PaymentIntentId) -> bool {
        matches!(&self.state, PaymentState::Charging { intent: Some(ours), .. } if ours == intent)
    }

    /// The event that tells how it ended; the same one, however often it is asked for.
    pub fn outcome_event(&self) -> Option<Event> {
        let order = self.order.clone();
        let (fact, at) = match &self.state {
            PaymentState::Charging { .. } => return None,
            PaymentState::Succeeded { intent, at } => {
                let payment_intent = intent.clone();
                (Fact::PaymentSucceeded(PaymentSucceeded { amount: order.total, order, payment_intent }), *at)
            }
            PaymentState::Declined { reason, at } => {
                (Fact::PaymentFailed(PaymentFailed { order, reason: reason.clone() }), *at)
            }
            PaymentState::Voided { reason, at } => {
                (Fact::PaymentVoided(PaymentVoided { order, reason: *reason }), *at)
            }
        };
        Some(Event::new(self.order_id, fact, at, self.cause.clone()))
    }
}
