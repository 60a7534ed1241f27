//! The rows of the tables, the PaymentIntents at the provider, and the emails.

use domain::VoidReason;

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
        /// The stored PaymentIntent, as an index into [`Saga::intents`](super::Saga::intents).
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
#[expect(missing_docs, reason = "the names are those of `notifications::mail::EmailKind`")]
pub enum Email {
    Confirmation,
    Rejection,
    PaymentFailure,
    Cancellation,
}

impl Email {
    /// All emails, in the order of [`Saga::emails`](super::Saga::emails).
    pub const ALL: [Self; 4] =
        [Self::Confirmation, Self::Rejection, Self::PaymentFailure, Self::Cancellation];

    /// The index into [`Saga::emails`](super::Saga::emails).
    pub fn index(self) -> usize {
        match self {
            Self::Confirmation => 0,
            Self::Rejection => 1,
            Self::PaymentFailure => 2,
            Self::Cancellation => 3,
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
