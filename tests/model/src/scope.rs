//! How much of the world a run of the checker looks at.

use crate::state::Function;

/// How a confirmation comes out at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Card {
    /// The customer is charged.
    Succeeds,
    /// The customer is not charged.
    Declines,
    /// The provider takes its time, and then does either.
    Processes,
    /// The provider makes no PaymentIntent for it.
    Unknown,
}

/// What can go wrong, each as often as [`Scope::faults`] allows for all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A function dies, or gives up, after any of its effects.
    Crash,
    /// A call to the provider or the mailer has no answer, with or without effect.
    Lost,
    /// The answer to a conditional write is lost, and the SDK writes again.
    Repeat,
    /// A function sleeps past its lease and the visibility of its message, and goes on later.
    Stall,
    /// A queue delivers a message twice.
    Duplicate,
    /// A message goes to the dead letters.
    Bury,
}

/// Every kind of fault.
pub const KINDS: &[Kind] = &[Kind::Crash, Kind::Lost, Kind::Repeat, Kind::Stall, Kind::Duplicate, Kind::Bury];

/// The bounds of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Its name.
    pub name: &'static str,
    /// For each order, how many pieces of each of the two products.
    pub orders: &'static [[u8; 2]],
    /// How many pieces there are.
    pub stock: [i8; 2],
    /// How confirmations may come out.
    pub cards: &'static [Card],
    /// How many faults, of any of `kinds`.
    pub faults: u8,
    /// Which.
    pub kinds: &'static [Kind],
    /// How many orders customers cancel, at any moment.
    pub cancellations: u8,
    /// How many orders expire while they are on their way, at any moment.
    pub expiries: u8,
    /// The most alike messages in one queue; more are dropped.
    pub copies: usize,
    /// Functions whose turn comes when all others have nothing to do for an order, one after the other.
    pub last: &'static [Function],
    /// Functions that do not take part: their queues stay empty.
    pub without: &'static [Function],
}

/// Functions that nobody waits for: their turn comes last.
pub const SINKS: &[Function] = &[Function::TrackOrder, Function::SendEmail];

/// One order of one piece of each product, which there is, and nothing goes wrong.
pub const BASE: Scope = Scope {
    name: "undisturbed",
    orders: &[[1, 1]],
    stock: [1, 1],
    cards: &[Card::Succeeds],
    faults: 0,
    kinds: KINDS,
    cancellations: 0,
    expiries: 0,
    copies: 1,
    last: SINKS,
    without: &[],
};

/// How much is to be explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// Under a minute on two cores: what the tests run.
    Small,
    /// Some minutes.
    Medium,
    /// As far as memory goes: bounded by a number of states.
    Large,
}

const ONE: Scope = Scope { cards: &[Card::Succeeds, Card::Declines], ..BASE };
const TWO: Scope = Scope { orders: &[[1, 0], [1, 1]], last: SINKS, ..BASE };

const SMALL: &[Scope] = &[
    BASE,
    Scope { name: "one order, a fault, a cancellation", faults: 1, cancellations: 1, ..ONE },
    Scope { name: "one order, a fault, an expiry", faults: 1, expiries: 1, ..BASE },
    Scope { name: "one order, every card, a fault", cards: ALL_CARDS, faults: 1, ..BASE },
    Scope { name: "one order, two faults", faults: 2, ..BASE },
    Scope { name: "one order, a fault, alike messages", faults: 1, copies: 2, ..ONE },
    Scope { name: "one order, followed at once, a cancellation", cancellations: 1, last: MAIL, ..BASE },
    Scope { name: "one order, out of stock, two faults", stock: [1, 0], faults: 2, ..BASE },
    Scope { name: "two orders for one piece", ..TWO },
];

const MEDIUM: &[Scope] = &[
    Scope {
        name: "one order, a fault, a cancellation, an expiry",
        faults: 1,
        cancellations: 1,
        expiries: 1,
        ..ONE
    },
    Scope {
        name: "one order, every card, a fault, a cancellation",
        cards: ALL_CARDS,
        faults: 1,
        cancellations: 1,
        ..BASE
    },
    Scope { name: "one order, three crashes", faults: 3, kinds: &[Kind::Crash], ..BASE },
    Scope { name: "one order, followed at once, a fault", faults: 1, last: MAIL, ..BASE },
    Scope { name: "two orders for one piece, a fault", faults: 1, without: MAIL, ..TWO },
];

const LARGE: &[Scope] = &[
    Scope { name: "one order, two faults, a cancellation", faults: 2, cancellations: 1, ..ONE },
    Scope { name: "one order, three faults", faults: 3, ..BASE },
    Scope { name: "two orders for one piece, a cancellation", cancellations: 1, without: MAIL, ..TWO },
    Scope { name: "two orders for one piece, two faults", faults: 2, ..TWO },
];

const ALL_CARDS: &[Card] = &[Card::Succeeds, Card::Declines, Card::Processes, Card::Unknown];
const MAIL: &[Function] = &[Function::SendEmail];

impl Size {
    /// The scopes that are explored.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Small => SMALL,
            Self::Medium => MEDIUM,
            Self::Large => LARGE,
        }
    }

    /// After how many states a scope is left, where that is bounded.
    pub fn states(self) -> Option<usize> {
        match self {
            Self::Small | Self::Medium => None,
            Self::Large => Some(40_000_000),
        }
    }
}
