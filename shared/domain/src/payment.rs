//! The payment: the arbiter of whether an order is charged or never will be.
//!
//! A payment advances one step at a time. From the stored record and the provider's latest response,
//! [`decide`] returns the next [`Step`]; the caller performs it and calls [`decide`] again. Every write is
//! conditional on the record not having changed since it was read, so that of two concurrent callers one
//! proceeds and the other reads the record again. Two rules prevent a double charge despite crashes and
//! delayed messages:
//!
//! - A PaymentIntent is confirmed only after its id has been written to the record, and the provider captures
//!   a PaymentIntent at most once.
//! - An attempt that takes over a record retrieves its PaymentIntent from the provider before it does
//!   anything else. A PaymentIntent is cancelled at the provider before the record says that the customer
//!   will never be charged, so that a confirmation still in flight fails.
//!
//! An order with a total of 0 has nothing to charge, and the provider accepts no such amount. Its record goes
//! through the same states, so that a cancellation competes with it as with any other, but it has no
//! PaymentIntent.
//!
//! Sources: <https://docs.stripe.com/payments/paymentintents/lifecycle>,
//! <https://docs.stripe.com/api/idempotent_requests>.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::AsRefStr;

use crate::details::OrderDetails;
use crate::event::{Cause, Event};
use crate::fact::{Fact, PaymentFailed, PaymentSucceeded, PaymentVoided};
use crate::id::{OrderId, PaymentIntentId};
use crate::lease::{Attempt, Lease};
use crate::reason::{DeclineReason, VoidReason};

/// The reason why a payment in progress is to end without a charge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The payment is to be voided.
    Void(VoidReason),
    /// The provider declined the payment.
    Decline(DeclineReason),
}

/// The state of a payment. All states except `Charging` are final. Refunds do not change the state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(tag = "state", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PaymentState {
    /// The payment is in progress, or was interrupted.
    Charging {
        /// The lease of the latest attempt.
        lease: Lease,
        /// The number of leases so far. It is part of every idempotency key, because the provider replays the
        /// response to a key that it has seen, even if that response was an internal error.
        attempt: u32,
        /// The id of the PaymentIntent. It is written before the PaymentIntent is confirmed.
        intent: Option<PaymentIntentId>,
        /// Set once the payment is to end without a charge. It is written before the PaymentIntent is
        /// cancelled.
        ending: Option<Ending>,
    },
    /// The customer was charged, or there was nothing to charge.
    Succeeded {
        /// The id of the PaymentIntent; `None` if the total of the order is 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intent: Option<PaymentIntentId>,
        /// The time at which the state was written.
        at: Timestamp,
    },
    /// The provider declined the payment; the customer was not charged.
    Declined {
        /// The reason for the decline.
        reason: DeclineReason,
        /// The time at which the state was written.
        at: Timestamp,
    },
    /// The payment was voided in time; the customer was not charged.
    Voided {
        /// The reason for voiding the payment.
        reason: VoidReason,
        /// The time at which the state was written.
        at: Timestamp,
    },
}

/// The record of the payment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payment {
    /// The id of the order.
    pub order_id: OrderId,
    /// The details of the order, which give the total, the customer and the payment method.
    pub order: OrderDetails,
    /// The cause of the payment. It is stored so that every publication of the outcome is identical.
    pub cause: Cause,
    /// Incremented by every write, and the condition of the next one.
    pub version: u64,
    /// The state of the payment.
    #[serde(flatten)]
    pub state: PaymentState,
}

/// The result that a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Charge the customer.
    Charge,
    /// Make sure that the customer is never charged.
    Void(VoidReason),
}

/// The latest response of the provider to this attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProviderObservation {
    /// The attempt has not called the provider yet.
    Nothing,
    /// The provider created this PaymentIntent.
    Created(PaymentIntentId),
    /// The provider refused to create a PaymentIntent, and always will.
    Refused(DeclineReason),
    /// The status of the PaymentIntent in the record.
    Status(IntentStatus),
}

/// The status of a PaymentIntent, reduced to the cases that lead to different steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IntentStatus {
    /// It was created and not confirmed.
    Unconfirmed,
    /// The provider is processing it.
    Processing,
    /// The customer was charged.
    Succeeded,
    /// A confirmation was declined. It could be confirmed again, so it has to be cancelled.
    Declined(DeclineReason),
    /// It was cancelled and can no longer be charged.
    Cancelled,
}

/// The next step of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Write this record, on condition that the stored one has not changed.
    Write(Box<Payment>),
    /// Create a PaymentIntent for the total of the order.
    CreateIntent {
        /// The idempotency key of the request.
        idempotency_key: String,
    },
    /// Retrieve the PaymentIntent.
    Retrieve(PaymentIntentId),
    /// Confirm the PaymentIntent, which charges the customer.
    Confirm {
        /// The PaymentIntent to confirm.
        intent: PaymentIntentId,
        /// The idempotency key of the request.
        idempotency_key: String,
    },
    /// Cancel the PaymentIntent, so that it can never be charged.
    Cancel(PaymentIntentId),
    /// Publish this event: the payment is final.
    Publish(Box<Event>),
    /// Retry later: another attempt holds the lease, or the provider is still processing the payment.
    Wait {
        /// The expiry of that lease; `None` while the provider is processing the payment.
        until: Option<Timestamp>,
    },
}

/// Decides the next step towards `goal`, from the stored record and the latest response of the provider.
///
/// `request` holds the contents of the event that the caller handles; it is used only if there is no record
/// yet.
pub fn decide(
    stored: Option<&Payment>,
    goal: Goal,
    observation: &ProviderObservation,
    request: &Request<'_>,
    attempt: &Attempt,
) -> Step {
    let Some(payment) = stored else {
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
        return payment
            .outcome_event()
            .map_or(Step::Wait { until: None }, |event| Step::Publish(Box::new(event)));
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
    // From here on this attempt holds the lease: no other attempt writes the record before it expires.
    if let (None, Goal::Void(reason)) = (ending, goal) {
        return charging(intent.clone(), Some(Ending::Void(reason)));
    }
    match (intent, observation) {
        // A PaymentIntent whose id is not in the record is never confirmed, so there is nothing to cancel.
        (None, _) if let Some(ending) = ending => end(ending),
        (None, _) if payment.order.total.is_zero() => {
            write(PaymentState::Succeeded { intent: None, at: attempt.now })
        }
        (None, ProviderObservation::Created(id)) => charging(Some(id.clone()), None),
        (None, ProviderObservation::Refused(reason)) => end(&Ending::Decline(reason.clone())),
        (None, ProviderObservation::Nothing | ProviderObservation::Status(_)) => {
            Step::CreateIntent { idempotency_key: format!("{}/create/{count}", payment.order_id) }
        }
        (Some(id), ProviderObservation::Created(created)) if created == id && ending.is_none() => {
            confirm(id, *count)
        }
        (
            Some(id),
            ProviderObservation::Nothing | ProviderObservation::Created(_) | ProviderObservation::Refused(_),
        ) => Step::Retrieve(id.clone()),
        (Some(id), ProviderObservation::Status(status)) => match (status, ending) {
            (IntentStatus::Succeeded, _) => {
                write(PaymentState::Succeeded { intent: Some(id.clone()), at: attempt.now })
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

/// The contents of the event that the caller handles.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The id of the order.
    pub order_id: OrderId,
    /// The details of the order, which give the total, the customer and the payment method.
    pub order: &'a OrderDetails,
    /// The event as the cause of the payment.
    pub cause: &'a Cause,
}

fn confirm(intent: &PaymentIntentId, attempt: u32) -> Step {
    Step::Confirm { intent: intent.clone(), idempotency_key: format!("{intent}/confirm/{attempt}") }
}

impl Payment {
    fn next(&self, state: PaymentState) -> Self {
        Self { version: self.version.saturating_add(1), state, ..self.clone() }
    }

    /// Returns the record with the lease released, for an attempt that has to be retried later: the next
    /// attempt need not wait for the lease to expire. `None` if `attempt` does not hold the lease.
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

    /// Returns whether the payment is in progress with this PaymentIntent, so that a change of it may advance
    /// the payment.
    pub fn is_charging(&self, intent: &PaymentIntentId) -> bool {
        matches!(&self.state, PaymentState::Charging { intent: Some(current), .. } if current == intent)
    }

    /// Returns the event that reports the outcome, or `None` if the payment is not final. Every call returns
    /// the same event.
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
