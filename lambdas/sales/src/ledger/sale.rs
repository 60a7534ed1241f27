//! The sale: the state of one order as a set of facts.
//!
//! [`Sale::merge`] combines two sets. It is commutative, associative and idempotent, so events that are
//! duplicated, late or out of order lead to the same sale.

use std::collections::BTreeMap;

use domain::order::{OrderStatus, Outcome};
use domain::{
    CustomerId, EmailAddress, Event, Fact, Lines, Money, OrderDetails, OrderId, PersonName, RefundId,
    SYNTHETIC_CUSTOMER_ID, Shortage, VoidReason,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::booking::{Booking, BookingKind};

/// The order as it was placed, without the address and the payment method, which neither exports nor reports
/// need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct PlacedOrder {
    pub customer_id: CustomerId,
    pub customer_name: PersonName,
    pub customer_email: EmailAddress,
    pub lines: Lines,
    pub placed_at: Timestamp,
}

impl PlacedOrder {
    fn from_details(details: &OrderDetails) -> Self {
        Self {
            customer_id: details.customer.id.clone(),
            customer_name: details.customer.name.clone(),
            customer_email: details.customer.email.clone(),
            lines: details.lines.clone(),
            placed_at: details.placed_at,
        }
    }
}

/// A fact with the time at which it became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Timestamped<T> {
    /// The time according to the service that owns the fact.
    pub at: Timestamp,
    #[serde(flatten)]
    pub value: T,
}

/// A successful charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Paid {
    pub amount: Money,
}

/// A refund of a sale, of all or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Refunded {
    pub amount: Money,
}

/// A rejected reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The lines that could not be reserved.
    pub shortages: Vec<Shortage>,
}

/// A payment that will never be captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voided {
    /// Why the payment was voided.
    pub reason: VoidReason,
}

/// The facts known about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Sale {
    pub order_id: OrderId,
    /// The order as it was placed.
    #[serde(rename = "ordered")]
    pub order: PlacedOrder,
    /// Its stock was reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Timestamped<()>>,
    /// Its cancellation was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Timestamped<()>>,
    /// Its stock could not be reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Timestamped<Rejected>>,
    /// The customer was charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Timestamped<Paid>>,
    /// The charge was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<Timestamped<()>>,
    /// The payment was voided: it will never be captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided: Option<Timestamped<Voided>>,
    /// Refunds by their id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<RefundId, Timestamped<Refunded>>,
}

impl Sale {
    /// Extracts the facts of an event. `None` when the ledger does not record the event, or the order belongs
    /// to the synthetic customer.
    pub fn from_event(event: &Event) -> Option<Self> {
        let at = event.time;
        let fact_only = Some(Timestamped { at, value: () });
        let new = |order: &OrderDetails| Self::new(event.subject, order);
        let sale = match &event.fact {
            Fact::OrderCreated(it) => new(&it.order),
            Fact::CancellationRequested(it) => Self { cancellation: fact_only, ..new(&it.order) },
            Fact::ReservationConfirmed(it) => Self { reserved: fact_only, ..new(&it.order) },
            Fact::ReservationRejected(it) => {
                let value = Rejected { shortages: it.shortages.clone() };
                Self { rejected: Some(Timestamped { at, value }), ..new(&it.order) }
            }
            Fact::PaymentSucceeded(it) => {
                Self { paid: Some(Timestamped { at, value: Paid { amount: it.amount } }), ..new(&it.order) }
            }
            Fact::PaymentFailed(it) => Self { declined: fact_only, ..new(&it.order) },
            Fact::PaymentVoided(it) => Self {
                voided: Some(Timestamped { at, value: Voided { reason: it.reason } }),
                ..new(&it.order)
            },
            Fact::PaymentRefunded(it) => {
                let refund = Timestamped { at, value: Refunded { amount: it.amount } };
                Self { refunds: BTreeMap::from([(it.refund.clone(), refund)]), ..new(&it.order) }
            }
            Fact::ReservationCommitted(_) | Fact::ReservationReleased(_) | Fact::PaymentReported(_) => {
                return None;
            }
        };
        // Synthetic monitoring places orders, but buys nothing.
        (sale.order.customer_id.as_str() != SYNTHETIC_CUSTOMER_ID).then_some(sale)
    }

    fn new(order_id: OrderId, order: &OrderDetails) -> Self {
        Self {
            order_id,
            order: PlacedOrder::from_details(order),
            reserved: None,
            cancellation: None,
            rejected: None,
            paid: None,
            declined: None,
            voided: None,
            refunds: BTreeMap::new(),
        }
    }

    /// Merges the facts of the same order. Where both know a fact, the earlier one wins: a fact that is
    /// published again may have a later time.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut refunds = self.refunds.clone();
        for (id, refund) in &other.refunds {
            let known = refunds.remove(id);
            refunds.extend(earliest(known.as_ref(), Some(refund)).map(|refund| (id.clone(), refund)));
        }
        let order = [&self.order, &other.order].into_iter().min_by_key(|order| {
            // All events carry the same order. If they ever differ, the choice is at least deterministic.
            (order.placed_at, sort_key(order))
        });
        Self {
            order_id: self.order_id,
            order: order.unwrap_or(&self.order).clone(),
            reserved: earliest(self.reserved.as_ref(), other.reserved.as_ref()),
            cancellation: earliest(self.cancellation.as_ref(), other.cancellation.as_ref()),
            rejected: earliest(self.rejected.as_ref(), other.rejected.as_ref()),
            paid: earliest(self.paid.as_ref(), other.paid.as_ref()),
            declined: earliest(self.declined.as_ref(), other.declined.as_ref()),
            voided: earliest(self.voided.as_ref(), other.voided.as_ref()),
            refunds,
        }
    }

    /// Returns the sale as of `time`, without later facts. The placed order is always included.
    #[must_use]
    pub fn as_of(&self, time: Timestamp) -> Self {
        fn until<T: Clone>(fact: Option<&Timestamped<T>>, time: Timestamp) -> Option<Timestamped<T>> {
            fact.filter(|fact| fact.at <= time).cloned()
        }
        let refunds = self.refunds.iter().filter(|(_, refund)| refund.at <= time);
        Self {
            order_id: self.order_id,
            order: self.order.clone(),
            reserved: until(self.reserved.as_ref(), time),
            cancellation: until(self.cancellation.as_ref(), time),
            rejected: until(self.rejected.as_ref(), time),
            paid: until(self.paid.as_ref(), time),
            declined: until(self.declined.as_ref(), time),
            voided: until(self.voided.as_ref(), time),
            refunds: refunds.map(|(id, refund)| (id.clone(), refund.clone())).collect(),
        }
    }

    /// Returns the status of the order.
    pub fn status(&self) -> OrderStatus {
        OrderStatus::from_facts(self.outcome(), self.cancellation.is_some(), self.reserved.is_some())
    }

    /// Returns the outcome. The order service keeps the first outcome that reaches it and reports a contradicting
    /// one. The ledger has no such first: it must not depend on the order in which events arrive. So the money
    /// decides, and between a rejection and a void, which may follow each other because of an earlier cancellation
    /// request, the time at which they happened.
    fn outcome(&self) -> Option<Outcome> {
        let rejected = self.rejected.as_ref().map(|rejected| rejected.at);
        match &self.voided {
            _ if self.paid.is_some() => Some(Outcome::Paid),
            _ if self.declined.is_some() => Some(Outcome::PaymentFailed),
            Some(voided) if rejected.is_none_or(|at| voided.at < at) => {
                Some(Outcome::Voided(voided.value.reason))
            }
            _ => rejected.map(|_| Outcome::Rejected),
        }
    }

    /// Returns the sum of all refunds, in minor units of the order's currency. Refunds in other currencies do
    /// not count.
    pub fn refunded(&self) -> u64 {
        let currency = self.order.lines.total().currency;
        let amounts = self.refunds.values().map(|refund| refund.value.amount);
        amounts
            .filter(|amount| amount.currency == currency)
            .map(|amount| u64::from(amount.minor_units()))
            .sum()
    }

    /// Returns the bookings of the order.
    pub fn bookings(&self) -> Vec<Booking> {
        let booking = |at: Timestamp, kind: BookingKind| Booking {
            order_id: self.order_id,
            at,
            lines: self.order.lines.clone(),
            kind,
        };
        let mut bookings = vec![booking(self.order.placed_at, BookingKind::Placed)];
        bookings.extend(
            self.paid.iter().map(|paid| booking(paid.at, BookingKind::Paid { amount: paid.value.amount })),
        );
        bookings.extend(self.rejected.iter().map(|rejected| {
            booking(rejected.at, BookingKind::Rejected { shortages: rejected.value.shortages.clone() })
        }));
        bookings.extend(self.refunds.iter().map(|(id, refund)| {
            booking(refund.at, BookingKind::Refunded { refund: id.clone(), amount: refund.value.amount })
        }));
        bookings
    }
}

/// Returns the earlier fact. A tie between equal times is broken deterministically.
fn earliest<T: Clone + Serialize>(
    one: Option<&Timestamped<T>>,
    other: Option<&Timestamped<T>>,
) -> Option<Timestamped<T>> {
    let fact = one.into_iter().chain(other).min_by_key(|fact| (fact.at, sort_key(&fact.value)))?;
    Some(fact.clone())
}

/// Returns a text that gives values a total order without any meaning.
fn sort_key(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
