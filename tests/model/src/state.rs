//! The state of the system, in a compact form.
//!
//! The rules of `domain` work on complete records with names, addresses and times. The types here contain
//! only what differs between two states; `fixture` converts them to complete records for the rules, and the
//! results back.

use domain::VoidReason;
use strum::IntoStaticStr;

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

/// The owner of a lease: a running attempt, by its number within the order, or [`DEAD_OWNER`].
pub type Owner = u8;
/// An owner whose attempt has ended, and that never resumes.
pub const DEAD_OWNER: Owner = 0;

/// The outcome of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of `domain::order::Outcome`")]
pub enum OrderOutcome {
    Paid,
    Rejected,
    PaymentFailed,
    Voided(VoidReason),
}

/// A row of the orders table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderRow {
    /// The number of writes. It restarts when no attempt holds a version that it read.
    pub version: u8,
    /// Whether stock was reserved.
    pub reserved: bool,
    /// The reason of the first cancellation request.
    pub cancellation: Option<VoidReason>,
    /// The outcome; `None` while the order is in progress.
    pub outcome: Option<OrderOutcome>,
    /// The settlement of the stock: `Some(true)` if it was sold, `Some(false)` if it was released.
    pub sold: Option<bool>,
}

/// A row of the reservations table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationStatus {
    /// Stock is held.
    Held,
    /// The held stock was sold.
    Committed,
    /// The held stock is available again.
    Released,
    /// Released before it was reserved: a late reservation is refused.
    Tombstone,
    /// Stock or price did not allow the reservation.
    Rejected,
}

/// The final state that a payment is moving to without a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// A cancellation was requested.
    Void(VoidReason),
    /// The provider declined the charge.
    Decline,
}

/// The status of a payment record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentStatus {
    /// An attempt holds the lease, or held it.
    Charging {
        /// The owner of the lease.
        owner: Owner,
        /// Whether the owner has released the lease.
        released: bool,
        /// The stored PaymentIntent, as an index into [`Saga::intents`].
        intent: Option<u8>,
        /// Set once the payment must not be charged any more.
        ending: Option<Ending>,
    },
    /// The customer was charged, or there was nothing to charge.
    Succeeded {
        /// The PaymentIntent that was charged; `None` if the total of the order is 0.
        intent: Option<u8>,
    },
    /// The provider declined the charge.
    Declined,
    /// Cancelled without a charge.
    Voided(VoidReason),
}

/// A row of the payments table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentRow {
    /// The number of writes. It restarts when no attempt holds a version that it read.
    pub version: u8,
    /// The status of the payment.
    pub status: PaymentStatus,
}

/// The status of a PaymentIntent at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Created, and not confirmed.
    Unconfirmed,
    /// Confirmed; the provider has not decided yet.
    Processing,
    /// The charge was captured.
    Succeeded,
    /// Declined. It can be confirmed again.
    Declined,
    /// Cancelled. It can never be charged.
    Cancelled,
}

/// A PaymentIntent at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intent {
    /// Its current status.
    pub status: Status,
    /// How often it was captured.
    pub captures: u8,
}

/// A row of the emails table: the claim on an email.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimRow {
    /// The number of writes. It restarts when no attempt holds a version that it read.
    pub version: u8,
    /// The owner of the claim, and whether it has released it; `None` once the email is recorded as sent.
    pub claimed: Option<(Owner, bool)>,
}

/// The emails about an order, by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Email {
    Confirmation,
    Rejection,
    PaymentFailure,
    Cancellation,
}

impl Email {
    /// All emails, in the order of [`Saga::emails`].
    pub const ALL: [Self; 4] =
        [Self::Confirmation, Self::Rejection, Self::PaymentFailure, Self::Cancellation];

    /// The index into [`Saga::emails`].
    pub fn index(self) -> usize {
        match self {
            Self::Confirmation => 0,
            Self::Rejection => 1,
            Self::PaymentFailure => 2,
            Self::Cancellation => 3,
        }
    }

    /// The email that an event triggers, as in `lambdas/notifications/src/mail.rs`.
    pub fn triggered_by(event: EventKind) -> Option<Self> {
        match event {
            EventKind::Succeeded => Some(Self::Confirmation),
            EventKind::Rejected => Some(Self::Rejection),
            EventKind::Failed => Some(Self::PaymentFailure),
            EventKind::Voided(_) => Some(Self::Cancellation),
            _ => None,
        }
    }
}

/// One email of an order: the claim on it, and how often it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailState {
    /// The stored claim, if there is one.
    pub claim: Option<ClaimRow>,
    /// How often the email was sent.
    pub sent: u8,
    /// How many duplicates no protocol could have prevented: the response was lost, the sender crashed before
    /// it could record the send, or it stalled past its lease before it sent.
    pub allowed_duplicates: u8,
}

/// The last response of the provider that an attempt has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Observation {
    /// No response yet.
    Nothing,
    /// The provider created the PaymentIntent with this index.
    Created(u8),
    /// The provider refused to create a PaymentIntent.
    Refused,
    /// The provider returned the status of the PaymentIntent.
    Status(Status),
}

/// The next work of an attempt. Each variant is a point between two effects at which the attempt may be
/// interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// The relay publishes the event, then removes the outbox row.
    Relay {
        /// Whether the first of the two effects has happened.
        published: bool,
    },
    /// A conditional write failed, and the attempt reads again.
    ReadAgain,
    /// The inventory API has read, and writes a new reservation.
    Reserve {
        /// The reservation that was read.
        read: Option<ReservationStatus>,
        /// The available stock of each product that was read.
        available: [i8; 2],
    },
    /// The inventory API has read, and commits or releases the reservation.
    Settle {
        /// The reservation that was read.
        read: Option<ReservationStatus>,
    },
    /// A payment attempt executes the next step that the rules decide.
    Pay {
        /// The record that was read.
        read: Option<PaymentRow>,
        /// The last response of the provider.
        observed: Observation,
        /// Whether the PaymentIntent was confirmed before it was stored. Used by the mutation
        /// `confirm-before-storing`.
        confirmed_early: bool,
    },
    /// A call to the provider failed, and the attempt releases its lease.
    ReleasePaymentLease {
        /// The record that was read.
        read: PaymentRow,
        /// Whether the message then goes to the dead-letter queue at once.
        is_refused: bool,
    },
    /// `track-order` applies the event to the order.
    Track {
        /// The order that was read.
        read: OrderRow,
    },
    /// A cancellation request is written to the order.
    RequestCancellation {
        /// The order that was read.
        read: OrderRow,
    },
    /// The claim on an email is acquired.
    AcquireClaim {
        /// The version that was read; 0 if there was no claim.
        read: u8,
    },
    /// The email is sent, under the acquired claim.
    SendEmail {
        /// The version of the acquired claim.
        version: u8,
    },
    /// The claim is completed after the email was sent.
    CompleteClaim {
        /// The version of the acquired claim.
        version: u8,
    },
    /// The claim is released, because the email was not sent.
    ReleaseClaim {
        /// The version of the acquired claim.
        version: u8,
    },
    /// An event is published, and the message is acknowledged.
    Publish(
        /// The event that the handler returned.
        EventKind,
    ),
}

/// One invocation of a function for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// The message that invoked the function. API calls and the relay have no message; here it tells what
    /// they are about.
    pub message: Message,
    /// The next work to do.
    pub work: Work,
    /// The owner number for leases.
    pub owner: Owner,
    /// Whether the message is in flight for this attempt. False without a message, and after a stall.
    pub has_message: bool,
    /// Whether the attempt stalled past its lease.
    pub is_stalled: bool,
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

/// The counters of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stock {
    /// Units that can still be ordered.
    pub available: i8,
    /// Units reserved for orders in progress.
    pub held: i8,
    /// How many units are sold.
    pub sold: i8,
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
