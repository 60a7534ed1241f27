//! An order as a client sees it, and which of its states can follow which.

use std::fmt;

use domain::order::{Order, OrderStatus, Outcome};
use domain::{CustomerId, OrderId, Shortage, VoidReason};
use serde::Deserialize;
use serde_json::Value;

/// An order in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// The id of the order.
    pub id: OrderId,
    /// The customer whose order it is.
    pub customer: CustomerId,
    /// The part that changes.
    pub state: OrderState,
    /// The part that never changes: lines, total, customer, payment method and time.
    pub details: Value,
}

/// The part of an order that changes, and that clients can see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderState {
    /// The status of the order.
    pub status: OrderStatus,
    /// Why cancellation was requested, if it was.
    #[serde(default)]
    pub cancellation: Option<VoidReason>,
    /// The products because of which the order was rejected.
    #[serde(default)]
    pub shortages: Vec<Shortage>,
}

impl OrderView {
    /// Reads an order from the body of a response. `None` if the body is not an order.
    pub fn from_json(body: &Value) -> Option<Self> {
        let state = OrderState::deserialize(body).ok()?;
        let id = body.get("id")?.as_str()?.parse().ok()?;
        let customer = body.get("customer")?.get("id")?.as_str()?.parse().ok()?;
        let mut details = body.clone();
        details
            .as_object_mut()?
            .retain(|field, _| !["status", "cancellation", "shortages"].contains(&&**field));
        Some(Self { id, customer, state, details })
    }
}

impl From<&Order> for OrderState {
    fn from(order: &Order) -> Self {
        Self { status: order.status(), cancellation: order.cancellation, shortages: order.shortages.clone() }
    }
}

/// What an order may have recorded.
#[derive(Clone, Copy)]
struct Facts {
    is_reserved: bool,
    outcome: Option<Outcome>,
}

impl OrderState {
    /// What an order in this state may have recorded: a client does not see, for instance, whether the stock of
    /// a cancelled order had been reserved. Nothing if no order can be in this state.
    fn possible_facts(&self) -> impl Iterator<Item = Facts> {
        const OUTCOMES: [Option<Outcome>; 7] = [
            None,
            Some(Outcome::Paid),
            Some(Outcome::Rejected),
            Some(Outcome::PaymentFailed),
            Some(Outcome::Voided(VoidReason::CustomerRequest)),
            Some(Outcome::Voided(VoidReason::Expired)),
            Some(Outcome::Voided(VoidReason::Provider)),
        ];
        let both = [false, true].into_iter();
        both.flat_map(|is_reserved| OUTCOMES.map(|outcome| Facts { is_reserved, outcome }))
            .filter(move |facts| self.shows(*facts))
    }

    fn shows(&self, Facts { is_reserved, outcome }: Facts) -> bool {
        let is_rejected = outcome == Some(Outcome::Rejected);
        // A payment is voided for the reason of the request, unless somebody cancelled it at the provider.
        let is_right_reason = match (outcome, self.cancellation) {
            (Some(Outcome::Voided(VoidReason::Provider)), _) => true,
            (Some(Outcome::Voided(reason)), cancellation) => cancellation == Some(reason),
            _ => true,
        };
        OrderStatus::from_facts(outcome, self.cancellation.is_some(), is_reserved) == self.status
            && is_right_reason
            && self.cancellation != Some(VoidReason::Provider)
            && self.shortages.is_empty() != is_rejected
            && !(is_rejected && is_reserved)
    }

    /// Whether an order can be in this state.
    pub fn is_possible(&self) -> bool {
        self.possible_facts().next().is_some()
    }

    /// Whether an order can be in this state that somebody else has cancelled too, for another reason than the one that
    /// the order has recorded.
    pub(super) fn is_possible_for_another_reason(&self) -> bool {
        let reasons = [VoidReason::CustomerRequest, VoidReason::Expired];
        self.cancellation.is_some_and(|recorded| reasons.contains(&recorded))
            && reasons.iter().any(|reason| Self { cancellation: Some(*reason), ..self.clone() }.is_possible())
    }

    /// Whether an order can be in the state `later` after it was in this one: facts are added, and none
    /// changes. A final state does not change.
    pub fn can_become(&self, later: &Self) -> bool {
        if self.status.is_final() || self == later {
            return self == later;
        }
        self.cancellation.is_none_or(|reason| later.cancellation == Some(reason))
            && self.possible_facts().any(|before| {
                later.possible_facts().any(|after| {
                    (after.is_reserved || !before.is_reserved)
                        && (before.outcome.is_none() || before.outcome == after.outcome)
                })
            })
    }

    /// Whether the response 409 to a cancellation is true of this state.
    pub(super) fn is_too_late_to_cancel(&self) -> bool {
        matches!(self.status, OrderStatus::Paid | OrderStatus::Rejected | OrderStatus::PaymentFailed)
    }

    /// Whether the response 202 to a cancellation is true of this state.
    pub(super) fn is_cancelled_or_cancelling(&self) -> bool {
        matches!(self.status, OrderStatus::Cancelling | OrderStatus::Cancelled | OrderStatus::Expired)
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.status)?;
        self.cancellation.map_or(Ok(()), |reason| write!(f, " ({})", reason.as_ref()))
    }
}
