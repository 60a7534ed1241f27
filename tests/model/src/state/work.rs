//! The attempts in progress.

use super::{EventKind, Message, OrderRow, Owner, PaymentRow, ReservationStatus, Status};

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
    /// Another attempt has taken over the claim, and the attempt reads it again, after the email was sent.
    ReadClaimAgain,
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
