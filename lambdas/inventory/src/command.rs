//! The commands to a reservation, without I/O: which one an event causes, and what follows from the records.

use std::collections::BTreeMap;

use domain::reservation::{self, Decision, ProductStock, Reservation};
use domain::{Fact, Lines, OrderId, Sku};
use jiff::Timestamp;

/// A command to the reservation of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Reserve stock for these lines.
    Reserve(&'a Lines),
    /// Mark the reserved stock as sold.
    Commit,
    /// Make the reserved stock available again.
    Release,
}

impl<'a> Command<'a> {
    /// Returns the command that an event causes, or `None` if it causes none.
    pub fn of(fact: &'a Fact) -> Option<Self> {
        match fact {
            Fact::OrderCreated(created) => Some(Self::Reserve(&created.order.lines)),
            Fact::PaymentSucceeded(_) => Some(Self::Commit),
            Fact::PaymentFailed(_) | Fact::PaymentVoided(_) => Some(Self::Release),
            _ => None,
        }
    }

    /// Returns the products whose stock the decision depends on. An existing reservation does not depend on it.
    pub fn products(self, read: Option<&Reservation>) -> Vec<Sku> {
        match (self, read) {
            (Self::Reserve(lines), None) => lines.iter().map(|line| line.sku.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// Decides on a reservation; `read` is the stored one, if there is one, and `stock` that of
    /// [`Command::products`].
    pub fn decide(
        self,
        order: OrderId,
        read: Option<&Reservation>,
        stock: &BTreeMap<Sku, ProductStock>,
        now: Timestamp,
    ) -> Decision {
        match self {
            Self::Reserve(lines) => reservation::reserve(read, order, lines, stock, now),
            Self::Commit => reservation::commit(read, order, now),
            Self::Release => reservation::release(read, order, now),
        }
    }
}
