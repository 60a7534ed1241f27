//! `inventory::store::Reservations`: reservations, written in one transaction with the stock.

use domain::reservation::{ProductStock, Reservation, ReservationState, StockChange};
use domain::{MAX_LINES, Money, OrderId, Shortage, ShortageKind, Sku};
use futures::future::join_all;
use jiff::Timestamp;

use crate::check::{contract_suite, same};
pub use crate::inventory_world::World;
use crate::sample::{euros, line, order_id, sku};

contract_suite!(World:
    known_products_have_stock_and_price,
    an_empty_or_duplicate_lookup_is_an_error,
    reads_return_what_was_written,
    a_new_reservation_requires_a_missing_one,
    a_reservation_changes_only_from_the_state_that_was_read,
    stock_moves_from_available_to_held_to_sold_or_back,
    no_counter_becomes_negative,
    lines_are_written_atomically,
    stock_is_reserved_only_at_the_agreed_price,
    a_tombstone_blocks_a_late_reservation,
    a_duplicate_product_is_an_error_and_writes_nothing,
    concurrent_orders_reserve_exactly_the_available_stock,
    concurrent_reservations_for_one_order_have_one_winner,
);

fn reservation(
    order: OrderId,
    lines: &[(&Sku, u32)],
    state: ReservationState,
) -> anyhow::Result<Reservation> {
    let lines = lines.iter().map(|(sku, units)| line((*sku).clone(), *units)).collect::<Result<_, _>>()?;
    Ok(Reservation {
        order_id: order,
        lines,
        created_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
        state,
    })
}

fn change(sku: &Sku, available: i64, held: i64, sold: i64, expected_price: Option<Money>) -> StockChange {
    StockChange { sku: sku.clone(), available, held, sold, expected_price }
}

fn hold(sku: &Sku, units: i64) -> anyhow::Result<StockChange> {
    Ok(change(sku, -units, units, 0, Some(euros(1250)?)))
}

impl World {
    /// Reserves units of a product for an order without a reservation.
    async fn hold_stock(&self, order: OrderId, sku: &Sku, units: u32) -> anyhow::Result<Reservation> {
        let held = reservation(order, &[(sku, units)], ReservationState::Held)?;
        let written = self.reservations.write(None, &held, &[hold(sku, units.into())?]).await?;
        same("the reservation", written, true)?;
        Ok(held)
    }
}

async fn known_products_have_stock_and_price(world: &World) -> anyhow::Result<()> {
    let mut skus = vec![sku(0)?];
    for number in 1..=u32::try_from(MAX_LINES - 1)? {
        skus.push(world.create_product(number, number).await?);
    }
    let found = world.reservations.load_stock(&skus).await?;
    same("products found", found.len(), skus.len() - 1)?;
    same("an unknown one", found.get(&skus[0]), None)?;
    let price = euros(1250)?;
    for (number, sku) in (1..).zip(&skus[1..]) {
        same("stock and price", found.get(sku), Some(&ProductStock { available: number, price }))?;
    }
    same("unknown ones alone", world.reservations.load_stock(&skus[..1]).await?.len(), 0)
}

async fn an_empty_or_duplicate_lookup_is_an_error(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    for skus in [vec![], vec![tea.clone(), sku(2)?, tea]] {
        let found = world.reservations.load_stock(&skus).await;
        anyhow::ensure!(found.is_err(), "an empty or duplicate lookup succeeded: {found:?}");
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    let shortage = |kind| Shortage { sku: tea.clone(), kind };
    let shortages = vec![
        shortage(ShortageKind::UnknownProduct),
        shortage(ShortageKind::OutOfStock { available: 3 }),
        shortage(ShortageKind::PriceChanged { price: euros(7)? }),
    ];
    let states = [
        ReservationState::Held,
        ReservationState::Committed,
        ReservationState::Released,
        ReservationState::Rejected { shortages },
    ];
    for (number, state) in (1..).zip(states) {
        let written = reservation(order_id(number), &[(&tea, 2)], state)?;
        same("nothing yet", world.reservations.get(order_id(number)).await?, None)?;
        same("written", world.reservations.write(None, &written, &[]).await?, true)?;
        same("read", world.reservations.get(order_id(number)).await?, Some(written))?;
    }
    world.ensure_stock(&tea, [5, 0, 0]).await
}

async fn a_new_reservation_requires_a_missing_one(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    let held = world.hold_stock(order_id(1), &tea, 2).await?;
    let more = reservation(order_id(1), &[(&tea, 3)], ReservationState::Held)?;
    for again in [&held, &more] {
        let written = world.reservations.write(None, again, &[hold(&tea, 1)?]).await?;
        same("a second one for the order", written, false)?;
    }
    same("the first", world.reservations.get(order_id(1)).await?, Some(held))?;
    world.ensure_stock(&tea, [3, 2, 0]).await
}

async fn a_reservation_changes_only_from_the_state_that_was_read(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    let held = reservation(order_id(1), &[(&tea, 2)], ReservationState::Held)?;
    let committed = Reservation { state: ReservationState::Committed, ..held.clone() };
    let released = Reservation { state: ReservationState::Released, ..held.clone() };
    let sell = [change(&tea, 0, -2, 2, None)];
    let free = [change(&tea, 2, -2, 0, None)];
    let store = &world.reservations;
    same("of a missing reservation", store.write(Some(&held), &committed, &[]).await?, false)?;
    same("no reservation was created", store.get(order_id(1)).await?, None)?;
    world.hold_stock(order_id(1), &tea, 2).await?;
    same("sold", store.write(Some(&held), &committed, &sell).await?, true)?;
    same("sold again", store.write(Some(&held), &committed, &sell).await?, false)?;
    same("released after that", store.write(Some(&held), &released, &free).await?, false)?;
    same("the reservation", store.get(order_id(1)).await?, Some(committed))?;
    world.ensure_stock(&tea, [3, 0, 2]).await
}

async fn stock_moves_from_available_to_held_to_sold_or_back(world: &World) -> anyhow::Result<()> {
    let (tea, mate) = (world.create_product(1, 9).await?, world.create_product(2, 9).await?);
    let lines = [(&tea, 2), (&mate, 3)];
    for (number, state) in [(1, ReservationState::Committed), (2, ReservationState::Released)] {
        let held = reservation(order_id(number), &lines, ReservationState::Held)?;
        let holds = [hold(&tea, 2)?, hold(&mate, 3)?];
        same("held", world.reservations.write(None, &held, &holds).await?, true)?;
        let sells = state == ReservationState::Committed;
        let settle = |sku: &Sku, units: i64| {
            if sells { change(sku, 0, -units, units, None) } else { change(sku, units, -units, 0, None) }
        };
        let settled = Reservation { state, ..held.clone() };
        let changes = [settle(&tea, 2), settle(&mate, 3)];
        same("settled", world.reservations.write(Some(&held), &settled, &changes).await?, true)?;
        world.ensure_stock(&tea, [7, 0, 2]).await?;
        world.ensure_stock(&mate, [6, 0, 3]).await?;
    }
    let found = world.reservations.load_stock(std::slice::from_ref(&tea)).await?;
    same("on sale", found.get(&tea).map(|product| product.available), Some(7))
}

async fn no_counter_becomes_negative(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 3).await?;
    let new = reservation(order_id(1), &[(&tea, 4)], ReservationState::Held)?;
    same(
        "more than the available stock",
        world.reservations.write(None, &new, &[hold(&tea, 4)?]).await?,
        false,
    )?;
    let free = change(&tea, 1, -1, 0, None);
    same("released and never held", world.reservations.write(None, &new, &[free]).await?, false)?;
    let returned = change(&tea, 1, 0, -1, None);
    same("returned and never sold", world.reservations.write(None, &new, &[returned]).await?, false)?;
    let unknown = change(&sku(2)?, 1, 0, 0, None);
    same("an unknown product", world.reservations.write(None, &new, &[unknown]).await?, false)?;
    same("it was not created", world.products.get(&sku(2)?).await?, None)?;
    world.ensure_stock(&tea, [3, 0, 0]).await?;
    same("no reservation", world.reservations.get(order_id(1)).await?, None)?;
    world.hold_stock(order_id(1), &tea, 3).await?;
    world.ensure_stock(&tea, [0, 3, 0]).await?;
    let other = reservation(order_id(2), &[(&tea, 1)], ReservationState::Held)?;
    same("when none is left", world.reservations.write(None, &other, &[hold(&tea, 1)?]).await?, false)
}

async fn lines_are_written_atomically(world: &World) -> anyhow::Result<()> {
    let mut skus = Vec::new();
    let max_lines = u32::try_from(MAX_LINES)?;
    for number in 1..=max_lines {
        skus.push(world.create_product(number, 1).await?);
    }
    let lines: Vec<(&Sku, u32)> = skus.iter().map(|sku| (sku, 1)).collect();
    let holds = skus.iter().map(|sku| hold(sku, 1)).collect::<anyhow::Result<Vec<_>>>()?;
    // The last line cannot be reserved: too few units, an unknown product, or another price.
    let last = &skus[skus.len() - 1];
    let wrong = [hold(last, 2)?, hold(&sku(max_lines + 1)?, 1)?, change(last, -1, 1, 0, Some(euros(1)?))];
    let held = reservation(order_id(1), &lines, ReservationState::Held)?;
    for bad in wrong {
        let what = format!("{bad:?}");
        let changes: Vec<StockChange> = holds[..holds.len() - 1].iter().cloned().chain([bad]).collect();
        same(&what, world.reservations.write(None, &held, &changes).await?, false)?;
        same("no reservation", world.reservations.get(order_id(1)).await?, None)?;
        for sku in [&skus[0], last] {
            world.ensure_stock(sku, [1, 0, 0]).await?;
        }
    }
    same("no unknown product was created", world.products.get(&sku(max_lines + 1)?).await?, None)?;
    same("all lines are available", world.reservations.write(None, &held, &holds).await?, true)?;
    for sku in &skus {
        world.ensure_stock(sku, [0, 1, 0]).await?;
    }
    Ok(())
}

async fn stock_is_reserved_only_at_the_agreed_price(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    world.set_price(&tea, euros(1300)?).await?;
    let held = reservation(order_id(1), &[(&tea, 2)], ReservationState::Held)?;
    same("at the old price", world.reservations.write(None, &held, &[hold(&tea, 2)?]).await?, false)?;
    let dollars = serde_json::from_value(serde_json::json!({ "amount": 1300, "currency": "USD" }))?;
    let foreign = change(&tea, -2, 2, 0, Some(dollars));
    same("in another currency", world.reservations.write(None, &held, &[foreign]).await?, false)?;
    world.ensure_stock(&tea, [5, 0, 0]).await?;
    let now = change(&tea, -2, 2, 0, Some(euros(1300)?));
    same("at the current price", world.reservations.write(None, &held, &[now]).await?, true)?;
    // A later price change does not affect held stock.
    world.set_price(&tea, euros(1)?).await?;
    let sold = Reservation { state: ReservationState::Committed, ..held.clone() };
    let sell = change(&tea, 0, -2, 2, None);
    same("sold", world.reservations.write(Some(&held), &sold, &[sell]).await?, true)?;
    world.ensure_stock(&tea, [3, 0, 2]).await
}

async fn a_tombstone_blocks_a_late_reservation(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    let tombstone = reservation(order_id(1), &[], ReservationState::Released)?;
    same("the tombstone", world.reservations.write(None, &tombstone, &[]).await?, true)?;
    let held = reservation(order_id(1), &[(&tea, 2)], ReservationState::Held)?;
    same("the late one", world.reservations.write(None, &held, &[hold(&tea, 2)?]).await?, false)?;
    same("the tombstone again", world.reservations.write(None, &tombstone, &[]).await?, false)?;
    same("read", world.reservations.get(order_id(1)).await?, Some(tombstone))?;
    world.ensure_stock(&tea, [5, 0, 0]).await
}

async fn a_duplicate_product_is_an_error_and_writes_nothing(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 5).await?;
    let held = reservation(order_id(1), &[(&tea, 2)], ReservationState::Held)?;
    let written = world.reservations.write(None, &held, &[hold(&tea, 1)?, hold(&tea, 1)?]).await;
    anyhow::ensure!(written.is_err(), "a duplicate product was written: {written:?}");
    same("no reservation", world.reservations.get(order_id(1)).await?, None)?;
    world.ensure_stock(&tea, [5, 0, 0]).await
}

async fn concurrent_orders_reserve_exactly_the_available_stock(world: &World) -> anyhow::Result<()> {
    let (tea, mate) = (world.create_product(1, 5).await?, world.create_product(2, 100).await?);
    let customers = (1..=20).map(async |number| {
        let held = reservation(order_id(number), &[(&tea, 1), (&mate, 2)], ReservationState::Held)?;
        let holds = [hold(&tea, 1)?, hold(&mate, 2)?];
        // A write also returns false on a transaction conflict: then the order reads the stock and tries
        // again.
        for _ in 0..100 {
            if world.reservations.write(None, &held, &holds).await? {
                return Ok(true);
            }
            let stock = world.reservations.load_stock(std::slice::from_ref(&tea)).await?;
            if stock.get(&tea).is_none_or(|tea| tea.available == 0) {
                return Ok(false);
            }
        }
        anyhow::bail!("order {number} was refused 100 times while stock was available")
    });
    let answers = join_all(customers).await.into_iter().collect::<anyhow::Result<Vec<bool>>>()?;
    same("customers that got a reservation", answers.iter().filter(|got| **got).count(), 5)?;
    let mut there = Vec::new();
    for number in 1..=20 {
        there.push(world.reservations.get(order_id(number)).await?.is_some());
    }
    same("reservations", there, answers)?;
    world.ensure_stock(&tea, [0, 5, 0]).await?;
    world.ensure_stock(&mate, [90, 10, 0]).await
}

async fn concurrent_reservations_for_one_order_have_one_winner(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 100).await?;
    let held = reservation(order_id(1), &[(&tea, 3)], ReservationState::Held)?;
    let changes = [hold(&tea, 3)?];
    let writers = (0..20).map(|_| world.reservations.write(None, &held, &changes));
    let answers = join_all(writers).await.into_iter().collect::<anyhow::Result<Vec<bool>>>()?;
    same("successful writers", answers.iter().filter(|won| **won).count(), 1)?;
    world.ensure_stock(&tea, [97, 3, 0]).await
}
