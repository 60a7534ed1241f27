//! The order: the state machine that events are applied to.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{AsRefStr, IntoStaticStr};

use crate::details::OrderDetails;
use crate::event::{Cause, Event};
use crate::fact::{CancellationRequested, Fact, OrderCreated};
use crate::id::OrderId;
use crate::reason::{Shortage, VoidReason};

/// The time after which an unanswered cancellation request may be published again: 1 hour, which is longer
/// than the retries of the payment service take.
pub const CANCELLATION_RETRY_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// The status of an order, as shown to users.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OrderStatus {
    /// The order is accepted and being processed.
    Placed,
    /// The stock is reserved; the payment is next.
    Reserved,
    /// Cancellation was requested; it takes effect unless the order has already been charged.
    Cancelling,
    /// The customer was charged, or the total is 0 and there was nothing to charge. Final.
    Paid,
    /// A product is unavailable or its price has changed. Final.
    Rejected,
    /// The payment was declined. Final.
    PaymentFailed,
    /// The order was cancelled before it was charged. Final.
    Cancelled,
    /// The order expired because it was not paid in time. Final.
    Expired,
}

impl OrderStatus {
    /// Returns the name of the status, as in JSON.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the status of an order: that of its outcome, or else how far it has come.
    pub fn from_facts(outcome: Option<Outcome>, cancellation_requested: bool, reserved: bool) -> Self {
        match outcome {
            Some(Outcome::Paid) => Self::Paid,
            Some(Outcome::Rejected) => Self::Rejected,
            Some(Outcome::PaymentFailed) => Self::PaymentFailed,
            Some(Outcome::Voided(VoidReason::Expired)) => Self::Expired,
            Some(Outcome::Voided(VoidReason::CustomerRequest | VoidReason::Provider)) => Self::Cancelled,
            None if cancellation_requested => Self::Cancelling,
            None if reserved => Self::Reserved,
            None => Self::Placed,
        }
    }

    /// Returns whether the status is final.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Rejected | Self::PaymentFailed | Self::Cancelled | Self::Expired)
    }
}

/// The final outcome of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "reason")]
pub enum Outcome {
    /// The customer was charged, or there was nothing to charge.
    Paid,
    /// The stock could not be reserved.
    Rejected,
    /// The payment was declined.
    PaymentFailed,
    /// The payment was voided: the customer will never be charged.
    Voided(VoidReason),
}

/// How the reservation of the stock was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Settlement {
    /// The stock was sold.
    Committed,
    /// The stock is available again.
    Released,
}

/// The order service's record of an order. Its status is derived from the facts that are known, so no
/// sequence of events can move it backwards.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// The id of the order.
    pub id: OrderId,
    /// The details of the order.
    pub details: OrderDetails,
    /// The cause of the order: the request that placed it.
    pub cause: Cause,
    /// Whether the stock is, or was, reserved.
    #[serde(default)]
    pub reserved: bool,
    /// The reason for the first cancellation request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<VoidReason>,
    /// The time of the latest cancellation request that was published.
    #[serde(rename = "asked_at", default, skip_serializing_if = "Option::is_none")]
    pub cancellation_requested_at: Option<Timestamp>,
    /// The outcome, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The products because of which the order was rejected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<Shortage>,
    /// How the reservation was settled, once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<Settlement>,
}

/// The result of applying a fact to an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The order changed to this.
    Changed(Box<Order>),
    /// The order already reflects the fact.
    Unchanged,
    /// The fact contradicts what is recorded; the conflict needs manual intervention.
    Conflict(String),
}

impl Order {
    /// Places an order. Returns it with the event to publish.
    pub fn place(id: OrderId, details: OrderDetails, cause: Cause) -> (Self, Event) {
        let created = Fact::OrderCreated(OrderCreated { order: details.clone() });
        let event = Event::new(id, created, details.placed_at, cause.clone());
        (
            Self {
                id,
                details,
                cause,
                reserved: false,
                cancellation: None,
                cancellation_requested_at: None,
                outcome: None,
                shortages: Vec::new(),
                settlement: None,
            },
            event,
        )
    }

    /// Returns the status, derived from the recorded facts.
    pub fn status(&self) -> OrderStatus {
        OrderStatus::from_facts(self.outcome, self.cancellation.is_some(), self.reserved)
    }

    /// Requests cancellation. Returns the order with the event to publish, or `None` if it was already
    /// requested within [`CANCELLATION_RETRY_INTERVAL`] or the order has its outcome: [`Order::status`] tells
    /// which. The payment service decides, and publishes the result as an event. A repeated request publishes
    /// the same event, with the reason of the first, so that an order does not stay in `cancelling` if the
    /// request or the response was lost.
    pub fn request_cancellation(
        &self,
        reason: VoidReason,
        now: Timestamp,
        cause: Cause,
    ) -> Option<(Self, Event)> {
        let requested_recently = self
            .cancellation_requested_at
            .is_some_and(|at| now.duration_since(at) < CANCELLATION_RETRY_INTERVAL);
        if self.outcome.is_some() || (self.cancellation.is_some() && requested_recently) {
            return None;
        }
        let reason = self.cancellation.unwrap_or(reason);
        let requested =
            Fact::CancellationRequested(CancellationRequested { order: self.details.clone(), reason });
        let updated =
            Self { cancellation: Some(reason), cancellation_requested_at: Some(now), ..self.clone() };
        Some((updated, Event::new(self.id, requested, now, cause)))
    }

    /// Applies a fact. Facts may be applied in any sequence and any number of times.
    pub fn apply(&self, fact: &Fact) -> Applied {
        let mut order = self.clone();
        let conflict = match fact {
            // A paid order stays paid after a refund: the payment service keeps track of refunds.
            Fact::OrderCreated(_)
            | Fact::CancellationRequested(_)
            | Fact::PaymentReported(_)
            | Fact::PaymentRefunded(_) => None,
            Fact::ReservationConfirmed(_) => {
                order.reserved = true;
                None
            }
            Fact::ReservationRejected(rejected) => {
                if order.outcome.is_none() {
                    order.shortages.clone_from(&rejected.shortages);
                }
                order.record_outcome(Outcome::Rejected)
            }
            Fact::PaymentSucceeded(_) => order.record_outcome(Outcome::Paid),
            Fact::PaymentFailed(_) => order.record_outcome(Outcome::PaymentFailed),
            Fact::PaymentVoided(voided) => order.record_outcome(Outcome::Voided(voided.reason)),
            Fact::ReservationCommitted(_) => order.record_settlement(Settlement::Committed),
            Fact::ReservationReleased(_) => order.record_settlement(Settlement::Released),
        };
        match conflict {
            Some(why) => Applied::Conflict(why),
            None if order == *self => Applied::Unchanged,
            None => Applied::Changed(Box::new(order)),
        }
    }

    /// Records the outcome unless there is one already, and returns a description of the conflict if the two
    /// contradict each other. A rejected order may also be voided, by a cancellation request from before the
    /// rejection: nothing was charged either way.
    fn record_outcome(&mut self, outcome: Outcome) -> Option<String> {
        match self.outcome {
            None => {
                self.outcome = Some(outcome);
                None
            }
            Some(first) if first == outcome => None,
            Some(Outcome::Rejected) if matches!(outcome, Outcome::Voided(_)) => None,
            Some(Outcome::Voided(_)) if outcome == Outcome::Rejected => None,
            Some(first) => {
                Some(format!("the outcome of the order is {first:?} and cannot become {outcome:?}"))
            }
        }
    }

    fn record_settlement(&mut self, settlement: Settlement) -> Option<String> {
        match self.settlement {
            None => {
                self.settlement = Some(settlement);
                None
            }
            Some(first) if first == settlement => None,
            Some(first) => Some(format!("the reservation is {first:?} and cannot become {settlement:?}")),
        }
    }
}
