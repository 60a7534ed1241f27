//! The actions that lead from one state to the next.

use crate::scope::Card;
use crate::state::{EventKind, Message};

/// A fault that an effect can suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The effect succeeds.
    None,
    /// The effect happens, and then the attempt crashes. This also covers a failure after the effect that
    /// ends the attempt.
    Crash,
    /// The request is lost: the effect does not happen, and the attempt sees a timeout. For an event: the bus rejects its
    /// entry of `PutEvents`.
    LostRequest,
    /// The response is lost: the effect happens, and the attempt sees a timeout.
    LostResponse,
    /// The effect happens, the SDK retries the request, and the attempt sees a failed condition.
    SdkRetry,
}

/// One step of the system. `saga` is the index of an order, `attempt` an index into
/// [`crate::state::Saga::attempts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields say it")]
pub enum Action {
    /// The client places the order.
    Place {
        saga: usize,
        /// Only the first of two writes happens. Used by the mutation `torn-outbox`.
        torn: bool,
    },
    /// The relay starts on a row of the outbox, which it received from the stream or found on its schedule.
    Relay { saga: usize, event: EventKind },
    /// A queue delivers a message, and the function reads the records that it decides on.
    Deliver {
        saga: usize,
        message: Message,
        /// Whether the attempt's clock shows that a lease held by another owner has expired.
        lease_expired: bool,
        /// Whether the queue will deliver the message a second time.
        duplicate: bool,
    },
    /// An attempt executes its next effect.
    Advance {
        saga: usize,
        attempt: usize,
        fault: Fault,
        /// How the provider reacts, if it has a choice.
        card: Option<Card>,
    },
    /// An attempt stalls until its lease and its message's visibility timeout have expired. It may resume at
    /// any later time.
    Stall { saga: usize, attempt: usize },
    /// A message has exhausted its receives and goes to the dead-letter queue.
    DeadLetter { saga: usize, message: Message },
    /// An operator redrives a dead-letter message.
    Redrive { saga: usize, message: Message },
    /// The customer cancels the order, and the API reads it.
    Cancel { saga: usize },
    /// The scheduled function finds the order overdue.
    Expire { saga: usize },
    /// The provider finishes processing a PaymentIntent.
    FinishProcessing { saga: usize, intent: usize, charged: bool },
}
