//! What the system is at one moment, in as few bytes as tell it.
//!
//! The rules of `domain` work on whole records with names, addresses and times. Here is only what differs between
//! two moments; `fixture` makes whole records of it for the rules, and takes their answers apart again.

use domain::payment::VoidReason;

/// A function, or a route of an API, as a place where steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `relay-outbox`, and `expire-orders` where it publishes what the stream missed.
    RelayOutbox,
    /// `reserve-inventory`.
    ReserveInventory,
    /// `process-payment`.
    ProcessPayment,
    /// `void-payment`.
    VoidPayment,
    /// `settle-reservation`.
    SettleReservation,
    /// `send-email`.
    SendEmail,
    /// `track-order`.
    TrackOrder,
    /// `orders-api`, where a customer cancels.
    OrdersApi,
    /// `expire-orders`, where it asks for an order to be voided.
    ExpireOrders,
}

impl Function {
    /// Its name in `template.yaml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RelayOutbox => "relay-outbox",
            Self::ReserveInventory => "reserve-inventory",
            Self::ProcessPayment => "process-payment",
            Self::VoidPayment => "void-payment",
            Self::SettleReservation => "settle-reservation",
            Self::SendEmail => "send-email",
            Self::TrackOrder => "track-order",
            Self::OrdersApi => "orders-api",
            Self::ExpireOrders => "expire-orders",
        }
    }
}

/// An event about an order, as far as one differs from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum News {
    /// `order.created`
    Created,
    /// `order.cancellation_requested`
    Wish(VoidReason),
    /// `reservation.confirmed`
    Confirmed,
    /// `reservation.rejected`
    Rejected,
    /// `reservation.committed`
    Committed,
    /// `reservation.released`
    Released,
    /// `payment.succeeded`
    Succeeded,
    /// `payment.failed`
    Failed,
    /// `payment.voided`
    Voided(VoidReason),
}

/// A message in a queue of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Letter {
    /// Whose queue.
    pub to: Function,
    /// What it says.
    pub news: News,
}

/// Who holds a lease: an attempt that is running, by its number within the order, or one that is gone.
pub type Owner = u8;
/// Whoever held it has ended: it never comes back.
pub const GONE: Owner = 0;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Charged.
    Paid,
    /// Not to be had.
    Rejected,
    /// Declined.
    PaymentFailed,
    /// Never charged.
    Voided(VoidReason),
}

/// A row of the orders table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderRow {
    /// Counts the writes, as far back as somebody holds what they read.
    pub version: u8,
    /// Whether stock is or was held.
    pub reserved: bool,
    /// Who asked first for it not to be charged.
    pub cancellation: Option<VoidReason>,
    /// How it ended.
    pub outcome: Option<End>,
    /// What became of the stock: `true` is sold.
    pub sold: Option<bool>,
}

/// A row of the reservations table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// Set aside.
    Held,
    /// Sold.
    Committed,
    /// Free again.
    Released,
    /// Never to be held.
    Tombstone,
    /// Not to be had.
    Rejected,
}

/// How a payment that is not charged is brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// Somebody asked for it.
    Void(VoidReason),
    /// The provider declined.
    Decline,
}

/// What a payment's record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Charge {
    /// Somebody is at it, or was.
    Charging {
        /// Who holds the lease.
        owner: Owner,
        /// Whether the lease was given up.
        given_up: bool,
        /// The PaymentIntent, by its number at the provider.
        intent: Option<u8>,
        /// Set when it is not to be charged any more.
        ending: Option<Ending>,
    },
    /// Charged.
    Succeeded {
        /// With which PaymentIntent.
        intent: u8,
    },
    /// Declined.
    Declined,
    /// Never charged.
    Voided(VoidReason),
}

/// A row of the payments table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentRow {
    /// Counts the writes, as far back as somebody holds what they read.
    pub version: u8,
    /// Where it stands.
    pub charge: Charge,
}

/// How a PaymentIntent stands at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Made, and not confirmed.
    Unconfirmed,
    /// The provider is at it.
    Processing,
    /// Charged.
    Succeeded,
    /// Tried and not charged. It can be tried again.
    Declined,
    /// It can no longer be charged.
    Cancelled,
}

/// A PaymentIntent at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intent {
    /// How it stands.
    pub status: Status,
    /// How often money was taken with it.
    pub captures: u8,
}

/// A row of the emails table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimRow {
    /// Counts the writes, as far back as somebody holds what they read.
    pub version: u8,
    /// Who holds it, and whether they gave it up; `None` when the mail is noted as sent.
    pub claimed: Option<(Owner, bool)>,
}

/// The mails of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mail {
    /// Paid.
    Confirmation,
    /// Not to be had.
    Rejection,
    /// Declined.
    PaymentFailure,
    /// Given up.
    Cancellation,
}

impl Mail {
    /// All, in the order of [`Case::post`].
    pub const ALL: [Self; 4] =
        [Self::Confirmation, Self::Rejection, Self::PaymentFailure, Self::Cancellation];

    /// Where it stands in [`Case::post`].
    pub fn index(self) -> usize {
        match self {
            Self::Confirmation => 0,
            Self::Rejection => 1,
            Self::PaymentFailure => 2,
            Self::Cancellation => 3,
        }
    }

    /// The mail that an event leads to: as `lambdas/notifications/src/mail.rs` has it.
    pub fn of(news: News) -> Option<Self> {
        match news {
            News::Succeeded => Some(Self::Confirmation),
            News::Rejected => Some(Self::Rejection),
            News::Failed => Some(Self::PaymentFailure),
            News::Voided(_) => Some(Self::Cancellation),
            _ => None,
        }
    }
}

/// One mail of an order: the claim on it, and what really went out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Post {
    /// The claim.
    pub claim: Option<ClaimRow>,
    /// How often it was sent.
    pub sent: u8,
    /// How often that could not be helped: the answer was lost, the sender died before it could note it down, or it
    /// slept past its lease before it sent.
    pub excused: u8,
}

/// What the provider last said to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// It made this PaymentIntent.
    Created(u8),
    /// It would not make one.
    Refused,
    /// The PaymentIntent stands so.
    Stands(Status),
}

/// How far an attempt is. Each is the point between two effects at which it may stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// The relay: is to publish, or has published and is to remove the row.
    Relay {
        /// Whether it has published.
        published: bool,
    },
    /// A write was refused: is to read again.
    ReadAgain,
    /// The inventory's API has read, and is to decide and write.
    Reserve {
        /// The reservation, as read.
        read: Option<Held>,
        /// What was available of each product.
        available: [i8; 2],
    },
    /// The same, where the stock is to be sold or set free.
    Settle {
        /// The reservation, as read.
        read: Option<Held>,
    },
    /// A payment was read; the next step is what the rules say.
    Pay {
        /// The record, as read.
        read: Option<PaymentRow>,
        /// What the provider last said.
        said: Said,
        /// For a mutant: it has confirmed what the record does not name yet.
        early: bool,
    },
    /// A call to the provider failed: is to give up its lease.
    GiveUpPayment {
        /// The record, as read.
        read: PaymentRow,
    },
    /// The order was read, and is to follow the event.
    Track {
        /// The order, as read.
        read: OrderRow,
    },
    /// The order was read, and is to be asked to end.
    Ask {
        /// The order, as read.
        read: OrderRow,
    },
    /// The claim on a mail was read, and is to be taken.
    Claim {
        /// The version that was read: 0 where there was none.
        read: u8,
    },
    /// The claim is taken; the mail is to be sent.
    Send {
        /// The claim's version.
        ours: u8,
    },
    /// The mail is sent, and that is to be noted.
    Note {
        /// The claim's version.
        ours: u8,
    },
    /// The mail was not sent, or nobody knows: is to give up the claim.
    GiveUpClaim {
        /// The claim's version.
        ours: u8,
    },
    /// Is to publish, and then to acknowledge.
    Publish(
        /// What.
        News,
    ),
}

/// One run of a function on one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// What it was called with. An API call and the relay have no message, but say here what they are about.
    pub letter: Letter,
    /// How far it is.
    pub work: Work,
    /// Its number, for leases.
    pub owner: Owner,
    /// Whether the queue keeps its message for it. Not so for what has no message, nor after a stall.
    pub holds: bool,
    /// Whether it slept past its lease.
    pub late: bool,
}

/// Everything about one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case {
    /// Whether the client's request was carried out.
    pub placed: bool,
    /// The orders table.
    pub order: Option<OrderRow>,
    /// The outbox, sorted.
    pub outbox: Vec<News>,
    /// The reservations table.
    pub reservation: Option<Held>,
    /// The payments table.
    pub payment: Option<PaymentRow>,
    /// The provider.
    pub intents: Vec<Intent>,
    /// The emails table and the mailbox, by [`Mail::index`].
    pub post: [Post; 4],
    /// What can be received from the queues, sorted.
    pub queues: Vec<Letter>,
    /// What is in the dead-letter queues, sorted.
    pub dead: Vec<Letter>,
    /// What runs.
    pub attempts: Vec<Attempt>,
    /// What happened that a property asks for.
    pub past: Past,
}

/// What happened, where the records alone cannot tell. Only the properties look at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Past {
    /// `order.created` was published.
    pub told_created: bool,
    /// `order.cancellation_requested` was published.
    pub told_wish: bool,
    /// `reservation.released` was published.
    pub told_released: bool,
    /// `reservation.committed` was published.
    pub told_committed: bool,
    /// A record that was final was changed.
    pub final_left: bool,
    /// A rule refused what it was asked for, as only happens when two records contradict each other.
    pub contradiction: bool,
}

/// The counters of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stock {
    /// Can still be ordered.
    pub available: i8,
    /// Is set aside.
    pub held: i8,
    /// Is sold.
    pub sold: i8,
}

/// The system at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The orders.
    pub cases: Vec<Case>,
    /// The two products.
    pub stock: [Stock; 2],
    /// How many faults may still happen.
    pub faults: u8,
    /// How many customers may still cancel.
    pub cancellations: u8,
    /// How many orders may still expire while things are on their way. One that nothing moves expires in any case.
    pub expiries: u8,
}
