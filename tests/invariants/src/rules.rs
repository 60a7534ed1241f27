//! The rules.

use std::fmt;

use domain::OrderId;
use jiff::{SignedDuration, Timestamp};

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// At most one capture per order, of the order's total.
    OneCapture,
    /// What was captured is committed (or still on its way to it), or refunded.
    CapturedIsCommitted,
    /// Stock is never negative, and available + held + sold is what was put in.
    StockIsConserved,
    /// What is held and sold is what the reservations say.
    StockIsReserved,
    /// A confirmation goes out only after the capture, any other outcome's mail only where nothing was captured.
    MailTellsTheTruth,
    /// The services do not contradict each other or the provider.
    RecordsAgree,
    /// What is final stays as it is.
    FinalStays,
    /// Every order that is not final has something that will move it on; when all is settled, every order is
    /// final, and nothing waits.
    NothingHangs,
}

/// Which promises can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Things are on their way: an order counts as hanging only if nothing has moved it for `patience`.
    Running {
        /// The time of the snapshot.
        now: Timestamp,
        /// How long anything may take.
        patience: SignedDuration,
    },
    /// Faults have stopped and nothing is on its way any more.
    Settled,
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// For which order, where it is about one.
    pub order_id: Option<OrderId>,
    /// What is wrong, with the figures.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)?;
        self.order_id.map_or(Ok(()), |order| write!(f, " (order {order})"))
    }
}
