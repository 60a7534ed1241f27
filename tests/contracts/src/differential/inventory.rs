//! Differential test of two inventories.

use std::collections::{BTreeMap, BTreeSet};

use domain::reservation::{ProductStock, Reservation, ReservationState, StockChange};
use domain::{Shortage, ShortageKind, Sku};
use inventory::product::{Offer, Product};
use inventory::store::DeliveryOutcome;
use jiff::Timestamp;
use platform::http::Precondition;
use proptest::prelude::*;

use super::{comparable, ensure_equal};
use crate::inventory_world::World;
use crate::sample::{euros, line, name, order_id, sku};

/// A call to an inventory. Numbers identify products, deliveries and orders.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it")]
pub enum Call {
    /// Creates or updates a product (SKU, price, precondition).
    Put(u32, u32, Precondition),
    /// Records a delivery (SKU, delivery, quantity).
    Deliver(u32, u32, u32),
    /// Reads a product.
    Product(u32),
    /// Lists all products, in pages of this size.
    Products(u32),
    /// Reads stock and prices.
    LoadStock,
    /// Reads a reservation.
    Reservation(u32),
    /// Writes a reservation.
    Write {
        order: u32,
        /// The state that was read, as an index below [`STATES`]; `None` for a missing reservation.
        read: Option<usize>,
        /// The new state, as an index below [`STATES`].
        new: usize,
        /// The stock changes (SKU, available, held, sold, expected price).
        changes: Vec<(u32, i64, i64, i64, Option<u32>)>,
    },
}

/// The number of reservation states.
pub const STATES: usize = 5;

/// Generates any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let units = -3..=3_i64;
    let price = prop::option::weighted(0.4, 1..=2_u32);
    // No rule decreases the sold counter.
    let change = (1..=3_u32, units.clone(), units, 0..=2_i64, price);
    let write = (1..=2_u32, prop::option::of(0..STATES), 0..STATES, prop::collection::vec(change, 0..=3));
    let condition = prop_oneof![
        4 => Just(Precondition::None),
        1 => Just(Precondition::Absent),
        1 => Just(Precondition::Present),
        2 => (1..=3_u64).prop_map(Precondition::Revision),
    ];
    prop_oneof![
        3 => (1..=3_u32, 1..=2_u32, condition).prop_map(|(sku, price, condition)| Call::Put(sku, price, condition)),
        3 => (1..=3_u32, 1..=2_u32, 3..=5_u32).prop_map(|(sku, name, units)| Call::Deliver(sku, name, units)),
        1 => (1..=3_u32).prop_map(Call::Product),
        1 => (1..=3_u32).prop_map(Call::Products),
        1 => Just(Call::LoadStock),
        1 => (1..=2_u32).prop_map(Call::Reservation),
        6 => write.prop_map(|(order, read, new, changes)| Call::Write { order, read, new, changes }),
    ]
}

#[derive(Debug, PartialEq)]
enum Answer {
    Product(Option<Product>),
    Products(BTreeMap<Sku, Product>),
    Delivered(DeliveryOutcome),
    LoadStock(BTreeMap<Sku, ProductStock>),
    Reservation(Option<Reservation>),
    Written(bool),
}

fn reservation(order: u32, state: usize) -> anyhow::Result<Reservation> {
    let shortage = |sku, kind| ReservationState::Rejected { shortages: vec![Shortage { sku, kind }] };
    let state = match state % STATES {
        0 => ReservationState::Held,
        1 => ReservationState::Committed,
        2 => ReservationState::Released,
        3 => shortage(sku(1)?, ShortageKind::UnknownProduct),
        _ => shortage(sku(2)?, ShortageKind::OutOfStock { available: 1 }),
    };
    let lines = if state == ReservationState::Held { vec![line(sku(1)?, order)?] } else { Vec::new() };
    Ok(Reservation {
        order_id: order_id(order),
        lines,
        created_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
        state,
    })
}

async fn execute(call: &Call, world: &World) -> anyhow::Result<Answer> {
    let World { products, reservations } = world;
    Ok(match call {
        Call::Put(number, price, condition) => {
            let offer = Offer { name: name()?, price: euros(*price)?, tax_rate: None };
            Answer::Product(products.put(&sku(*number)?, &offer, *condition).await?)
        }
        Call::Deliver(number, delivery, units) => {
            let delivery = format!("d-{delivery}").parse()?;
            Answer::Delivered(products.record_delivery(&sku(*number)?, &delivery, *units).await?)
        }
        Call::Product(number) => Answer::Product(products.get(&sku(*number)?).await?),
        Call::Products(limit) => {
            let (mut found, mut after) = (BTreeMap::new(), None);
            loop {
                let page = products.list(after.as_ref(), *limit).await?;
                found.extend(page.products.into_iter().map(|product| (product.sku.clone(), product)));
                after = page.next;
                if after.is_none() {
                    break Answer::Products(found);
                }
            }
        }
        Call::LoadStock => Answer::LoadStock(reservations.load_stock(&[sku(1)?, sku(2)?, sku(3)?]).await?),
        Call::Reservation(order) => Answer::Reservation(reservations.get(order_id(*order)).await?),
        Call::Write { order, read, new, changes } => {
            let read = read.map(|state| reservation(*order, state)).transpose()?;
            let change = |(number, available, held, sold, price): &(u32, i64, i64, i64, Option<u32>)| {
                let expected_price = price.map(euros).transpose()?;
                let sku = sku(*number)?;
                Ok(StockChange { sku, available: *available, held: *held, sold: *sold, expected_price })
            };
            let changes = changes.iter().map(change).collect::<anyhow::Result<Vec<_>>>()?;
            let new = reservation(*order, *new)?;
            Answer::Written(reservations.write(read.as_ref(), &new, &changes).await?)
        }
    })
}

fn changes_a_product_twice(call: &Call) -> bool {
    let Call::Write { changes, .. } = call else { return false };
    let skus: BTreeSet<u32> = changes.iter().map(|change| change.0).collect();
    skus.len() < changes.len()
}

/// Makes the same calls to both stores.
///
/// # Errors
/// If a call returned different results.
pub async fn compare(calls: Vec<Call>, stores: [World; 2]) -> anyhow::Result<()> {
    for (index, call) in calls.iter().enumerate() {
        let twice = changes_a_product_twice(call);
        let one = comparable(twice, execute(call, &stores[0]).await)?;
        let other = comparable(twice, execute(call, &stores[1]).await)?;
        ensure_equal(index, call, [one, other])?;
    }
    Ok(())
}
