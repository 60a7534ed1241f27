//! Bookings: the events of an order that count in reports. Later events never change the bookings of an
//! earlier day.

use domain::{Lines, Money, OrderId, RefundId, Shortage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An event of an order, as counted in reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Booking {
    pub order_id: OrderId,
    pub at: Timestamp,
    /// The lines of the order.
    pub lines: Lines,
    #[serde(flatten)]
    pub kind: BookingKind,
}

/// The kind of a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields say it")]
pub enum BookingKind {
    /// The order was placed.
    Placed,
    /// The customer was charged.
    Paid { amount: Money },
    /// The customer was refunded.
    Refunded { refund: RefundId, amount: Money },
    /// The order could not be fulfilled.
    Rejected {
        /// The lines that could not be reserved.
        shortages: Vec<Shortage>,
    },
}

impl Booking {
    /// Returns a name that is unique among the bookings of an order, and stays the same when the time of the
    /// booking is corrected.
    pub fn name(&self) -> String {
        match &self.kind {
            BookingKind::Placed => "placed".to_owned(),
            BookingKind::Paid { .. } => "paid".to_owned(),
            BookingKind::Refunded { refund, .. } => format!("refunded#{refund}"),
            BookingKind::Rejected { .. } => "rejected".to_owned(),
        }
    }
}
