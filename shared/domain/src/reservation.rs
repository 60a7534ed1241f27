//! The reservation: stock held for one order, once, and then sold or set free.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{OrderId, Sku};
use crate::money::Money;
use crate::order::{Line, Lines};

/// Where a reservation stands. All but `Held` are final.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReservationState {
    /// The stock is set aside.
    Held,
    /// The stock is sold.
    Committed,
    /// Nothing is held, and never will be: also the tombstone of an order that was given up before it came.
    Released,
    /// Nothing was held, because it could not be had. Kept, so that a later try cannot find another answer.
    Rejected {
        /// What stood in the way.
        shortages: Vec<Shortage>,
    },
}

impl ReservationState {
    /// Its name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// The reservation of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Reservation {
    /// Whose.
    pub order_id: OrderId,
    /// What is, or was, held. Empty on a tombstone.
    pub lines: Vec<Line>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ReservationState,
}

/// Why a line cannot be had as ordered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Shortage {
    /// Which product.
    pub sku: Sku,
    /// Why.
    #[serde(flatten)]
    pub kind: ShortageKind,
}

/// What stands in the way of a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ShortageKind {
    /// Not sold here.
    UnknownProduct,
    /// Fewer are left than were ordered.
    OutOfStock {
        /// How many were left when it was looked at.
        available: u32,
    },
    /// The price is no longer the one that the customer was shown.
    PriceChanged {
        /// The price of one, now.
        price: Money,
    },
}

/// A product's stock and price, as read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProductStock {
    /// How many can still be ordered.
    pub available: u32,
    /// The price of one.
    pub price: Money,
}

/// How the counters of one product change. Carried out on condition that none goes below zero and, when stock
/// is taken, that the price is still `expected_price`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StockChange {
    /// Which product.
    pub sku: Sku,
    /// To what can still be ordered.
    pub available: i64,
    /// To what is set aside.
    pub held: i64,
    /// To what is sold.
    pub sold: i64,
    /// The price that must still be asked, where stock is taken.
    pub expected_price: Option<Money>,
}

/// What to do about a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It is already so: say so again.
    Unchanged(Reservation),
    /// Write the reservation and change the stock, in one transaction, on condition that the reservation is
    /// still as it was read and the stock allows it. If not, read and decide again.
    Write {
        /// The new reservation.
        reservation: Reservation,
        /// What it does to the stock.
        changes: Vec<StockChange>,
    },
    /// Asked for what can never be: a sold reservation cannot be released, nor a released one sold, nor another
    /// order held under the same id.
    Refuse(String),
}

/// Holds stock for an order, if there is enough of everything at the price that the customer was shown.
pub fn reserve(
    read: Option<&Reservation>,
    order_id: OrderId,
    lines: &Lines,
    stock: &BTreeMap<Sku, ProductStock>,
) -> Decision {
    if let Some(reservation) = read {
        // What is confirmed is what is charged: it has to be what is held.
        let held = matches!(reservation.state, ReservationState::Held | ReservationState::Committed);
        if held && !reservation.lines.iter().eq(lines.iter()) {
            return Decision::Refuse(format!(
                "order {order_id} holds other lines than these, and can hold no others"
            ));
        }
        return Decision::Unchanged(reservation.clone());
    }
    let shortages: Vec<Shortage> = lines
        .iter()
        .filter_map(|line| {
            let kind = match stock.get(&line.sku) {
                None => ShortageKind::UnknownProduct,
                Some(product) if product.price != line.unit_price => {
                    ShortageKind::PriceChanged { price: product.price }
                }
                Some(product) if product.available < line.quantity.get() => {
                    ShortageKind::OutOfStock { available: product.available }
                }
                Some(_) => return None,
            };
            Some(Shortage { sku: line.sku.clone(), kind })
        })
        .collect();
    if !shortages.is_empty() {
        let reservation =
            Reservation { order_id, lines: Vec::new(), state: ReservationState::Rejected { shortages } };
        return Decision::Write { reservation, changes: Vec::new() };
    }
    let changes = lines
        .iter()
        .map(|line| {
            let pieces = i64::from(line.quantity.get());
            StockChange {
                sku: line.sku.clone(),
                available: -pieces,
                held: pieces,
                sold: 0,
                expected_price: Some(line.unit_price),
            }
        })
        .collect();
    Decision::Write {
        reservation: Reservation { order_id, lines: Vec::from(lines.clone()), state: ReservationState::Held },
        changes,
    }
}

/// Sells what is held. Called only after the customer was charged.
pub fn commit(read: Option<&Reservation>, order_id: OrderId) -> Decision {
    match read {
        Some(reservation) => match reservation.state {
            ReservationState::Held => settle(reservation, ReservationState::Committed, |line| {
                let pieces = i64::from(line.quantity.get());
                StockChange {
                    sku: line.sku.clone(),
                    available: 0,
                    held: -pieces,
                    sold: pieces,
                    expected_price: None,
                }
            }),
            ReservationState::Committed => Decision::Unchanged(reservation.clone()),
            ReservationState::Released | ReservationState::Rejected { .. } => {
                Decision::Refuse(format!("order {order_id} was charged, but its stock is no longer held"))
            }
        },
        None => Decision::Refuse(format!("order {order_id} was charged, but its stock was never held")),
    }
}

/// Sets free what is held. Called only when the customer was not charged and never will be. Where there is no
/// reservation yet it leaves a tombstone, so that a late order holds nothing.
pub fn release(read: Option<&Reservation>, order_id: OrderId) -> Decision {
    match read {
        Some(reservation) => match reservation.state {
            ReservationState::Held => settle(reservation, ReservationState::Released, |line| {
                let pieces = i64::from(line.quantity.get());
                StockChange {
                    sku: line.sku.clone(),
                    available: pieces,
                    held: -pieces,
                    sold: 0,
                    expected_price: None,
                }
            }),
            ReservationState::Released | ReservationState::Rejected { .. } => {
                Decision::Unchanged(reservation.clone())
            }
            ReservationState::Committed => {
                Decision::Refuse(format!("order {order_id} was not charged, but its stock is sold"))
            }
        },
        None => Decision::Write {
            reservation: Reservation { order_id, lines: Vec::new(), state: ReservationState::Released },
            changes: Vec::new(),
        },
    }
}

fn settle(reservation: &Reservation, state: ReservationState, change: fn(&Line) -> StockChange) -> Decision {
    Decision::Write {
        changes: reservation.lines.iter().map(change).collect(),
        reservation: Reservation { state, ..reservation.clone() },
    }
}
