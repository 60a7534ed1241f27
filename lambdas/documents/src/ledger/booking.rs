//! What happened to an order at a moment. Reports count these: a day's never change with what happens later.

use domain::reservation::Shortage;
use domain::{Lines, Money, OrderId, RefundId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// To which.
    pub order_id: OrderId,
    /// When.
    pub at: Timestamp,
    /// What was ordered.
    pub lines: Lines,
    /// What happened.
    #[serde(flatten)]
    pub kind: BookingKind,
}

/// What can happen that reports tell of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BookingKind {
    /// It was placed.
    Placed,
    /// It was charged.
    Paid {
        /// How much.
        amount: Money,
    },
    /// Money went back.
    Refunded {
        /// Which refund.
        refund: RefundId,
        /// How much.
        amount: Money,
    },
    /// It could not be had.
    Rejected {
        /// Each line that stood in the way.
        shortages: Vec<Shortage>,
    },
}

impl Booking {
    /// Tells it from all others of the same order, also when its moment turns out to be another one.
    pub fn name(&self) -> String {
        match &self.kind {
            BookingKind::Placed => "placed".to_owned(),
            BookingKind::Paid { .. } => "paid".to_owned(),
            BookingKind::Refunded { refund, .. } => format!("refunded#{refund}"),
            BookingKind::Rejected { .. } => "rejected".to_owned(),
        }
    }
}
