//! The bounds within which the checker explores the protocol.

use crate::state::Function;

/// How the provider reacts to a payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Card {
    /// The customer is charged.
    Succeeds,
    /// The customer is not charged.
    Declines,
    /// The PaymentIntent stays in processing for a while, and then succeeds or is declined.
    Processes,
    /// The provider refuses to create a PaymentIntent.
    Unknown,
}

/// A kind of fault. [`Scope::faults`] limits the total number of faults of all kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// An attempt crashes, or fails, after any of its effects.
    Crash,
    /// A call to the provider or to SES gets no response, with or without an effect.
    NoResponse,
    /// The response to a conditional write is lost, and the SDK retries the write.
    SdkRetry,
    /// An attempt stalls past its lease and its message's visibility timeout, and resumes later.
    Stall,
    /// A queue delivers a message twice.
    Duplicate,
    /// A message goes to the dead-letter queue.
    DeadLetter,
}

/// Every kind of fault.
pub const ALL_FAULT_KINDS: &[FaultKind] = &[
    FaultKind::Crash,
    FaultKind::NoResponse,
    FaultKind::SdkRetry,
    FaultKind::Stall,
    FaultKind::Duplicate,
    FaultKind::DeadLetter,
];

/// The bounds of an exploration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The name, as `--list` shows it.
    pub name: &'static str,
    /// The quantities of the two products, for each order.
    pub orders: &'static [[u8; 2]],
    /// The price of one unit of each product, in cents. If it is 0, there is nothing to charge.
    pub unit_price: u32,
    /// The initial stock of the two products.
    pub stock: [i8; 2],
    /// The possible reactions of the provider.
    pub cards: &'static [Card],
    /// The maximum number of faults.
    pub faults: u8,
    /// The kinds of fault that may happen.
    pub fault_kinds: &'static [FaultKind],
    /// The functions whose attempts suffer faults; all of them if it is empty.
    pub faulty: &'static [Function],
    /// The maximum number of cancellations by customers, each at any time.
    pub cancellations: u8,
    /// The maximum number of expiries of orders in progress, each at any time.
    pub expiries: u8,
    /// The maximum number of identical messages in one queue; more are dropped.
    pub max_identical_messages: usize,
    /// Functions that run only when all others have nothing left to do for an order, in this sequence.
    pub deferred: &'static [Function],
    /// Functions that are excluded: their queues stay empty.
    pub excluded: &'static [Function],
}

/// Functions whose results no other function waits for. They run last.
pub const SINKS: &[Function] = &[Function::TrackOrder, Function::SendEmail];

/// One order of one unit of each product, which is in stock, without faults.
pub const BASE: Scope = Scope {
    name: "fault-free",
    orders: &[[1, 1]],
    unit_price: 1250,
    stock: [1, 1],
    cards: &[Card::Succeeds],
    faults: 0,
    fault_kinds: ALL_FAULT_KINDS,
    faulty: &[],
    cancellations: 0,
    expiries: 0,
    max_identical_messages: 1,
    deferred: SINKS,
    excluded: &[],
};

/// The size of an exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// Takes less than a minute on two cores. The tests run it.
    Small,
    /// Takes some minutes.
    Medium,
    /// Limited by memory: each scope stops after a number of states.
    Large,
}

const ONE: Scope = Scope { cards: &[Card::Succeeds, Card::Declines], ..BASE };
const TWO: Scope = Scope { orders: &[[1, 0], [1, 1]], deferred: SINKS, ..BASE };

/// A confirmation that arrives late, and a cancellation whose request or response is lost: two faults, both of the
/// payment functions. The settlement and the email follow the outcome of the payment, which this scope is about.
pub const LATE_CONFIRMATION: Scope = Scope {
    name: "one payment, two faults of it, a cancellation",
    faults: 2,
    fault_kinds: &[FaultKind::Stall, FaultKind::NoResponse],
    faulty: &[Function::ProcessPayment, Function::VoidPayment],
    cancellations: 1,
    excluded: &[Function::SettleReservation, Function::SendEmail],
    ..BASE
};

const SMALL: &[Scope] = &[
    BASE,
    Scope { name: "one order, a fault, a cancellation", faults: 1, cancellations: 1, ..ONE },
    Scope { name: "one order, a fault, an expiry", faults: 1, expiries: 1, ..BASE },
    Scope { name: "one order, every card, a fault", cards: ALL_CARDS, faults: 1, ..BASE },
    Scope {
        name: "one free order, a fault, a cancellation",
        unit_price: 0,
        faults: 1,
        cancellations: 1,
        ..BASE
    },
    Scope { name: "one order, two faults", faults: 2, ..BASE },
    Scope { name: "one order, a fault, identical messages", faults: 1, max_identical_messages: 2, ..ONE },
    Scope {
        name: "one order, tracked immediately, a cancellation",
        cancellations: 1,
        deferred: EMAIL,
        ..BASE
    },
    Scope { name: "one order, out of stock, two faults", stock: [1, 0], faults: 2, ..BASE },
    LATE_CONFIRMATION,
    Scope { name: "two orders for one unit", ..TWO },
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
    Scope { name: "one order, three crashes", faults: 3, fault_kinds: &[FaultKind::Crash], ..BASE },
    Scope { name: "one order, tracked immediately, a fault", faults: 1, deferred: EMAIL, ..BASE },
    Scope { name: "two orders for one unit, a fault", faults: 1, excluded: EMAIL, ..TWO },
];

const LARGE: &[Scope] = &[
    Scope { name: "one order, two faults, a cancellation", faults: 2, cancellations: 1, ..ONE },
    Scope { name: "one order, three faults", faults: 3, ..BASE },
    Scope { name: "two orders for one unit, a cancellation", cancellations: 1, excluded: EMAIL, ..TWO },
    Scope { name: "two orders for one unit, two faults", faults: 2, ..TWO },
];

const ALL_CARDS: &[Card] = &[Card::Succeeds, Card::Declines, Card::Processes, Card::Unknown];
const EMAIL: &[Function] = &[Function::SendEmail];

impl Size {
    /// The scopes of this size.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Small => SMALL,
            Self::Medium => MEDIUM,
            Self::Large => LARGE,
        }
    }

    /// The number of states after which a scope is abandoned, if it is bounded.
    pub fn max_states(self) -> Option<usize> {
        match self {
            Self::Small | Self::Medium => None,
            Self::Large => Some(40_000_000),
        }
    }
}
