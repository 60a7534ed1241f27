//! The rules, and what a check returns.

use std::fmt;

use domain::OrderId;
use jiff::{SignedDuration, Timestamp};

/// An invariant of the system. The name of the variant is part of the audit's JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// At most one capture per order, of the order's total. An order of 0 has none.
    OneCapture,
    /// The stock of a paid order is committed, or still held while the order is in progress, or the payment is
    /// refunded.
    CapturedIsCommitted,
    /// Stock is never negative, and available + held + sold equals what was delivered.
    StockIsConserved,
    /// The held and sold counters equal the sums over the reservations.
    StockIsReserved,
    /// A confirmation is sent only after the capture, or for an order of 0 after its payment record says so; the
    /// email of any other outcome only without one.
    MailTellsTheTruth,
    /// The services do not contradict each other or the provider.
    RecordsAgree,
    /// A final state does not change.
    FinalStays,
    /// Every order that is not final will make progress. Once the system has settled, every order is final,
    /// and no event or message is waiting.
    NothingHangs,
}

/// The phase that the system is in, which decides how strictly the rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Orders are in progress: an order counts as stuck only if it has made no progress for `stuck_after`.
    Running {
        /// The time of the snapshot.
        now: Timestamp,
        /// The longest time without progress that is not a violation.
        stuck_after: SignedDuration,
    },
    /// Faults have stopped and nothing is in progress any more.
    Settled,
}

/// A rule that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is violated.
    pub rule: Rule,
    /// The order concerned; `None` if the violation is not about a single order.
    pub order_id: Option<OrderId>,
    /// A description for people, with the figures.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)?;
        self.order_id.map_or(Ok(()), |order| write!(f, " (order {order})"))
    }
}
