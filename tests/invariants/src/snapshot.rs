//! The system at one moment.

use std::collections::BTreeMap;

use domain::order::Order;
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::{Event, EventId, OrderId, PaymentIntentId, Sku};

/// The counters of one product. Signed, so that what must never be can be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stock {
    /// Can still be ordered.
    pub available: i64,
    /// Is set aside.
    pub held: i64,
    /// Is sold.
    pub sold: i64,
}

/// A PaymentIntent, as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its id there.
    pub id: PaymentIntentId,
    /// The order that it was made for.
    pub order_id: OrderId,
    /// What was taken, in minor units: 0 when nothing was.
    pub captured: i64,
    /// What was given back of it, in minor units.
    pub refunded: i64,
}

/// A mail that was sent, or that the records say was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// About which order.
    pub order_id: OrderId,
    /// `confirmation`, `rejection`, `payment_failure`, `cancellation`.
    pub kind: String,
}

/// A message in a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMessage {
    /// Which queue.
    pub queue: String,
    /// The order that it is about, where that can be read.
    pub order_id: Option<OrderId>,
}

/// The system at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The order service's records.
    pub orders: BTreeMap<OrderId, Order>,
    /// The inventory's.
    pub reservations: BTreeMap<OrderId, Reservation>,
    /// The inventory's counters.
    pub stock: BTreeMap<Sku, Stock>,
    /// What was put into stock, in pieces.
    pub delivered: BTreeMap<Sku, i64>,
    /// The payment service's records.
    pub payments: BTreeMap<OrderId, Payment>,
    /// The provider's.
    pub intents: Vec<Intent>,
    /// Mails.
    pub mails: Vec<Mail>,
    /// Events that wait to be published.
    pub outbox: BTreeMap<EventId, Event>,
    /// How many messages each queue holds, by its name; dead-letter queues are not among them.
    pub queued: BTreeMap<String, u64>,
    /// What was given up.
    pub dead: Vec<DeadMessage>,
}
