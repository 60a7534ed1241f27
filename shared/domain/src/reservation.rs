//! The reservation: stock is reserved for an order once, and then committed or released.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::details::{Line, Lines};
use crate::id::{OrderId, Sku};
use crate::money::Money;
use crate::reason::{Shortage, ShortageKind};

/// The state of a reservation. All states except `Held` are final.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, IntoStaticStr)]
#[serde(tag = "state", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReservationState {
    /// The stock is reserved.
    Held,
    /// The stock is sold.
    Committed,
    /// The stock was released and will never be reserved again. Also the tombstone of an order that was
    /// released before `order.created` arrived.
    Released,
    /// Nothing was reserved, because a line was unavailable. It is stored, so that a retry cannot have
    /// another result.
    Rejected {
        /// The lines that could not be reserved, with the reasons.
        shortages: Vec<Shortage>,
    },
}

impl ReservationState {
    /// Returns the name of the state, as in JSON.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// The reservation of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Reservation {
    /// The id of the order.
    pub order_id: OrderId,
    /// The lines that are, or were, reserved. Empty on a tombstone.
    pub lines: Vec<Line>,
    /// When it was decided whether stock is reserved (RFC 3339, UTC). The event about that has this time, however late
    /// it is published again.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When the reservation reached its state (RFC 3339, UTC). The event about its settlement has this time, however
    /// late it is published again.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub changed_at: Timestamp,
    /// The state of the reservation.
    #[serde(flatten)]
    pub state: ReservationState,
}

/// The available stock and the price of a product, as read from the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProductStock {
    /// The quantity that is available to order.
    pub available: u32,
    /// The price of one piece.
    pub price: Money,
}

/// A change of the stock counters of a product. It is applied on condition that no counter becomes negative
/// and, if `expected_price` is set, that the price has not changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StockChange {
    /// The SKU of the product.
    pub sku: Sku,
    /// The change of the available quantity.
    pub available: i64,
    /// The change of the reserved quantity.
    pub held: i64,
    /// The change of the sold quantity.
    pub sold: i64,
    /// The price that the product must still have; set when stock is reserved.
    pub expected_price: Option<Money>,
}

/// The action to take on a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Nothing changes: the request was handled before, so report the reservation again.
    Unchanged(Reservation),
    /// Write the reservation and apply the stock changes in one transaction, on condition that the
    /// reservation has not changed since it was read and the stock suffices. Otherwise, read and decide
    /// again.
    Write {
        /// The new reservation.
        reservation: Reservation,
        /// The changes to the stock.
        changes: Vec<StockChange>,
    },
    /// The request contradicts the reservation: a committed reservation cannot be released, a released one
    /// cannot be committed, and other lines cannot be reserved for the same order.
    Refuse(String),
}

/// Reserves stock for an order, if every product is available in the ordered quantity at the price in the
/// order.
pub fn reserve(
    stored: Option<&Reservation>,
    order_id: OrderId,
    lines: &Lines,
    stock: &BTreeMap<Sku, ProductStock>,
    now: Timestamp,
) -> Decision {
    if let Some(reservation) = stored {
        // The lines that are confirmed are the ones that are charged, so they have to be the ones that are
        // reserved.
        let held = matches!(reservation.state, ReservationState::Held | ReservationState::Committed);
        if held && !reservation.lines.iter().eq(lines.iter()) {
            return Decision::Refuse(format!(
                "order {order_id} already has a reservation with different lines"
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
        let state = ReservationState::Rejected { shortages };
        let reservation =
            Reservation { order_id, lines: Vec::new(), created_at: now, changed_at: now, state };
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
        reservation: Reservation {
            order_id,
            lines: Vec::from(lines.clone()),
            created_at: now,
            changed_at: now,
            state: ReservationState::Held,
        },
        changes,
    }
}

/// Commits the reservation: the reserved stock is sold. Called only after the customer was charged.
pub fn commit(stored: Option<&Reservation>, order_id: OrderId, now: Timestamp) -> Decision {
    match stored {
        Some(reservation) => match reservation.state {
            ReservationState::Held => settle(reservation, ReservationState::Committed, now, |line| {
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
                Decision::Refuse(format!("order {order_id} was charged, but its stock is no longer reserved"))
            }
        },
        None => Decision::Refuse(format!("order {order_id} was charged, but its stock was never reserved")),
    }
}

/// Releases the reserved stock. Called only if the customer was not charged and never will be. If there is no
/// reservation yet, it writes a tombstone, so that a delayed order cannot reserve stock.
pub fn release(stored: Option<&Reservation>, order_id: OrderId, now: Timestamp) -> Decision {
    match stored {
        Some(reservation) => match reservation.state {
            ReservationState::Held => settle(reservation, ReservationState::Released, now, |line| {
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
            reservation: Reservation {
                order_id,
                lines: Vec::new(),
                created_at: now,
                changed_at: now,
                state: ReservationState::Released,
            },
            changes: Vec::new(),
        },
    }
}

fn settle(
    reservation: &Reservation,
    state: ReservationState,
    now: Timestamp,
    change: fn(&Line) -> StockChange,
) -> Decision {
    Decision::Write {
        changes: reservation.lines.iter().map(change).collect(),
        reservation: Reservation { state, changed_at: now, ..reservation.clone() },
    }
}
