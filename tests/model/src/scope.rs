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
pub const KINDS: &[Kind] =
    &[Kind::Crash, Kind::Lost, Kind::Repeat, Kind::Stall, Kind::Duplicate, Kind::Bury];

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
