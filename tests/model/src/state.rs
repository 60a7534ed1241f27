//! The state of the system, in a compact form.
//!
//! The rules of `domain` work on complete records with names, addresses and times. The types here contain
//! only what differs between two states; `fixture` converts them to complete records for the rules, and the
//! results back.

mod record;
mod work;

use domain::VoidReason;
use strum::IntoStaticStr;

pub use record::{
    ClaimRow, DEAD_OWNER, Email, EmailState, Ending, Intent, OrderOutcome, OrderRow, Owner, PaymentRow,
    PaymentStatus, ReservationStatus, Status, Stock,
};
pub use work::{Attempt, Observation, Work};

/// A Lambda function, or an API route, that executes steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Function {
    /// `relay-outbox`, and `expire-orders` where it publishes rows that the stream missed.
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
    /// `orders-api`, where a customer cancels an order.
    OrdersApi,
    /// `expire-orders`, where it requests the cancellation of an order.
    ExpireOrders,
}

impl Function {
    /// The name of the function in `template.yaml`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// An event about an order, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// `order.created`
    Created,
    /// `order.cancellation_requested`
    CancellationRequested(VoidReason),
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

impl EventKind {
    /// All kinds, with every reason.
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::CancellationRequested(VoidReason::CustomerRequest),
        Self::CancellationRequested(VoidReason::Expired),
        Self::CancellationRequested(VoidReason::Provider),
        Self::Confirmed,
        Self::Rejected,
        Self::Committed,
        Self::Released,
        Self::Succeeded,
        Self::Failed,
        Self::Voided(VoidReason::CustomerRequest),
        Self::Voided(VoidReason::Expired),
        Self::Voided(VoidReason::Provider),
    ];
}

/// A message in the queue of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// The function that the queue belongs to.
    pub to: Function,
    /// The event that the message carries.
    pub event: EventKind,
}

/// Everything about one order: its records, its messages, and the attempts in progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Saga {
    /// Whether the client has placed the order.
    pub placed: bool,
    /// The row of the orders table.
    pub order: Option<OrderRow>,
    /// The rows of the outbox, sorted.
    pub outbox: Vec<EventKind>,
    /// The row of the reservations table.
    pub reservation: Option<ReservationStatus>,
    /// The row of the payments table.
    pub payment: Option<PaymentRow>,
    /// The PaymentIntents at the provider.
    pub intents: Vec<Intent>,
    /// The claims on emails and the emails sent, by [`Email::index`].
    pub emails: [EmailState; 4],
    /// The visible messages of all queues, sorted.
    pub queues: Vec<Message>,
    /// The messages in the dead-letter queues, sorted.
    pub dead_letters: Vec<Message>,
    /// The attempts in progress, including stalled ones.
    pub attempts: Vec<Attempt>,
    /// Past events that the properties refer to.
    pub history: History,
}

/// History that the records do not show. Only the properties use it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History {
    /// `order.created` was published.
    pub created_published: bool,
    /// `order.cancellation_requested` was published.
    pub cancellation_published: bool,
    /// `reservation.released` was published.
    pub release_published: bool,
    /// `reservation.committed` was published.
    pub commit_published: bool,
    /// A final record was changed.
    pub final_state_changed: bool,
    /// A rule refused a request, which happens only if two records contradict each other.
    pub contradiction: bool,
    /// The reason of the first cancellation request that was written.
    pub first_reason: Option<VoidReason>,
}

/// The state of the whole system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The state of each order.
    pub sagas: Vec<Saga>,
    /// The counters of the two products.
    pub stock: [Stock; 2],
    /// The number of faults that may still happen.
    pub faults: u8,
    /// The number of cancellations by customers that may still happen.
    pub cancellations: u8,
    /// The number of expiries of orders in progress that may still happen. An order without progress always
    /// expires.
    pub expiries: u8,
}
