//! What is known of one order.
//!
//! A sale is a set of facts. Two of them are put together by [`Sale::merge`], which is commutative, associative and
//! idempotent: whatever comes twice, late or in another order leads to the same sale.

use std::collections::BTreeMap;

use domain::order::OrderStatus;
use domain::payment::VoidReason;
use domain::reservation::Shortage;
use domain::{
    CustomerId, EmailAddress, Event, Fact, Lines, Money, OrderDetails, OrderId, PersonName, RefundId,
    SYNTHETIC_CUSTOMER_ID,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::booking::{Booking, BookingKind};

/// What was ordered, without what nobody needs who counts sales: the address and the means of payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedOrder {
    /// Who ordered.
    pub customer_id: CustomerId,
    /// What they are called.
    pub customer_name: PersonName,
    /// Where they read their mail.
    pub customer_email: EmailAddress,
    /// What they ordered.
    pub lines: Lines,
    /// When.
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

/// Something that became so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamped<T> {
    /// When, as whoever knows first-hand says.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub value: T,
}

/// The customer was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// How much.
    pub amount: Money,
}

/// Money went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// How much.
    pub amount: Money,
}

/// It could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Each line that stood in the way.
    pub shortages: Vec<Shortage>,
}

/// It never will be charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voided {
    /// Who wanted that.
    pub reason: VoidReason,
}

/// An order, as far as events have told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Which.
    pub order_id: OrderId,
    /// What was ordered.
    #[serde(rename = "ordered")]
    pub order: PlacedOrder,
    /// Its stock was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Timestamped<()>>,
    /// Somebody wanted it to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Timestamped<()>>,
    /// It could not be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Timestamped<Rejected>>,
    /// It was charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Timestamped<Paid>>,
    /// The charge was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<Timestamped<()>>,
    /// It never will be charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided: Option<Timestamped<Voided>>,
    /// What went back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<RefundId, Timestamped<Refunded>>,
}

impl Sale {
    /// What an event tells of an order; `None` where it tells nothing that is kept, or the order is nobody's.
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
        // Whoever looks whether the shop works buys nothing.
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

    /// What both know of the same order together. Where they disagree, what was so first stands: a fact that is told
    /// again may come with a later time.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut refunds = self.refunds.clone();
        for (id, refund) in &other.refunds {
            let known = refunds.remove(id);
            refunds.extend(earliest(known.as_ref(), Some(refund)).map(|refund| (id.clone(), refund)));
        }
        let order = [&self.order, &other.order].into_iter().min_by_key(|order| {
            // All events carry the same order. Were they not to, one is taken, and always the same.
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

    /// The sale as it stood at a moment: without what became so later. What was ordered was always so.
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

    /// Where the order stands. What was charged is paid, whatever else is said of it.
    pub fn status(&self) -> OrderStatus {
        let rejected = self.rejected.as_ref().map(|rejected| rejected.at);
        match &self.voided {
            _ if self.paid.is_some() => OrderStatus::Paid,
            _ if self.declined.is_some() => OrderStatus::PaymentFailed,
            // A rejected order may still be voided by who had asked for it before: the first of the two is its end.
            Some(voided) if rejected.is_none_or(|at| voided.at < at) => match voided.value.reason {
                VoidReason::Expired => OrderStatus::Expired,
                VoidReason::CustomerRequest | VoidReason::Provider => OrderStatus::Cancelled,
            },
            _ if rejected.is_some() => OrderStatus::Rejected,
            _ if self.cancellation.is_some() => OrderStatus::Cancelling,
            _ if self.reserved.is_some() => OrderStatus::Reserved,
            _ => OrderStatus::Placed,
        }
    }

    /// What all refunds come to, in minor units of the order's currency. One in another currency is none of it.
    pub fn refunded(&self) -> u64 {
        let currency = self.order.lines.total().currency;
        let amounts = self.refunds.values().map(|refund| refund.value.amount);
        amounts
            .filter(|amount| amount.currency == currency)
            .map(|amount| u64::from(amount.minor_units()))
            .sum()
    }

    /// What happened to it, each with its moment.
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

/// The one that was so first; of two at the same moment always the same one.
fn earliest<T: Clone + Serialize>(
    one: Option<&Timestamped<T>>,
    other: Option<&Timestamped<T>>,
) -> Option<Timestamped<T>> {
    let fact = one.into_iter().chain(other).min_by_key(|fact| (fact.at, sort_key(&fact.value)))?;
    Some(fact.clone())
}

/// Text that orders values, in no order that means anything.
fn sort_key(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
