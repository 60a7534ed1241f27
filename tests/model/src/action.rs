//! What can happen next.

use crate::scope::Card;
use crate::state::{Letter, News};

/// What goes wrong with one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Nothing.
    None,
    /// It happens, and the attempt dies. Also: a failure that ends the attempt, where the effect had happened.
    Crash,
    /// It does not happen, and the attempt is told that nobody answered.
    LostBefore,
    /// It happens, and the attempt is told that nobody answered.
    LostAfter,
    /// It happens, the SDK sends it again, and the attempt hears that the condition did not hold.
    Repeat,
}

/// One step of the system. `case` is an order, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The client places the order.
    Place {
        /// Which.
        case: usize,
        /// For a mutant: only the first of two writes is done.
        torn: bool,
    },
    /// The relay takes up a row of the outbox: from the stream, or because the schedule found it.
    Relay {
        /// Whose.
        case: usize,
        /// Which.
        news: News,
    },
    /// A queue delivers a message, and the function reads what it decides on.
    Deliver {
        /// About which order.
        case: usize,
        /// Which.
        letter: Letter,
        /// Whether its clock shows that a lease in its way has ended.
        overdue: bool,
        /// Whether the queue will deliver the message once more.
        twice: bool,
    },
    /// An attempt takes its next effect.
    Go {
        /// For which order.
        case: usize,
        /// The attempt's place in the list.
        attempt: usize,
        /// What goes wrong.
        fault: Fault,
        /// What the provider makes of it, where it has a choice.
        card: Option<Card>,
    },
    /// An attempt sleeps past its lease and its message's visibility. It may go on at any later moment.
    Stall {
        /// For which order.
        case: usize,
        /// The attempt's place in the list.
        attempt: usize,
    },
    /// A message was tried too often.
    Bury {
        /// About which order.
        case: usize,
        /// Which.
        letter: Letter,
    },
    /// A person sends a dead letter again.
    Redrive {
        /// About which order.
        case: usize,
        /// Which.
        letter: Letter,
    },
    /// The customer cancels; the API reads the order.
    Cancel {
        /// Which.
        case: usize,
    },
    /// The schedule finds the order late.
    Expire {
        /// Which.
        case: usize,
    },
    /// The provider comes to an end with what it was processing.
    Settle {
        /// Which order.
        case: usize,
        /// Which PaymentIntent.
        intent: usize,
        /// Whether the customer is charged.
        charged: bool,
    },
}
