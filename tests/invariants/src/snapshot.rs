//! The state of the system at one point in time.

use std::collections::BTreeMap;

use domain::order::Order;
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::{Event, EventId, OrderId, PaymentIntentId, Sku};

/// The counters of one product, in units. Signed, so that a negative value can be reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stock {
    /// Units that can still be ordered.
    pub available: i64,
    /// Units reserved for orders in progress.
    pub held: i64,
    /// How many units are sold.
    pub sold: i64,
}

/// A PaymentIntent as the provider stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The provider's id.
    pub id: PaymentIntentId,
    /// The order that it pays for.
    pub order_id: OrderId,
    /// The captured amount in minor units; 0 if nothing was captured.
    pub captured: i64,
    /// The refunded amount in minor units.
    pub refunded: i64,
}

/// An email that was sent, or that the records say was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The order that it is about.
    pub order_id: OrderId,
    /// `confirmation`, `rejection`, `payment_failure` or `cancellation`.
    pub kind: String,
}

/// A message in a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterMessage {
    /// The name of the dead-letter queue.
    pub queue: String,
    /// The order that it is about, if that can be read from the message.
    pub order_id: Option<OrderId>,
}

/// The state of the system at one point in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The orders table.
    pub orders: BTreeMap<OrderId, Order>,
    /// The reservations table.
    pub reservations: BTreeMap<OrderId, Reservation>,
    /// The counters of each product.
    pub stock: BTreeMap<Sku, Stock>,
    /// The units delivered into stock so far.
    pub delivered: BTreeMap<Sku, i64>,
    /// The payments table.
    pub payments: BTreeMap<OrderId, Payment>,
    /// The PaymentIntents at the provider.
    pub intents: Vec<Intent>,
    /// The emails sent so far.
    pub emails: Vec<Email>,
    /// Events that have not been published yet.
    pub outbox: BTreeMap<EventId, Event>,
    /// The number of messages in each queue, by queue name, without the dead-letter queues.
    pub queued_messages: BTreeMap<String, u64>,
    /// The messages in the dead-letter queues.
    pub dead_letters: Vec<DeadLetterMessage>,
}
