//! `sales::ledger::store::{Ledger, LedgerTable}`: the sales ledger and its two tables.

use std::sync::Arc;

use anyhow::Context;
use futures::future::try_join_all;
use jiff::Timestamp;
use platform::optimistic::Versioned;
use sales::ledger::booking::{Booking, BookingKind};
use sales::ledger::sale::{Paid, Refunded, Rejected, Sale, Timestamped};
use sales::ledger::store::{Ledger, LedgerTable, Partition, Position, Row};

use crate::check::{contract_suite, same};
use crate::sample::{euros, order, order_id, time};

/// An empty ledger.
#[derive(Clone)]
pub struct World {
    /// The ledger under test, for writing.
    pub ledger: Arc<dyn Ledger>,
    /// The sales of the same ledger.
    pub sales: Arc<dyn LedgerTable<Sale>>,
    /// The bookings of the same ledger.
    pub bookings: Arc<dyn LedgerTable<Booking>>,
}

contract_suite!(World:
    a_new_sale_requires_a_missing_one,
    a_sale_changes_only_from_the_version_that_was_read,
    reads_return_what_was_written,
    bookings_are_written_atomically_with_their_sale,
    a_corrected_booking_moves,
    rows_are_read_from_inclusive_to_exclusive,
    every_row_of_a_partition_is_read_exactly_once,
    concurrent_writers_of_one_version_have_one_winner,
);

/// The sale of an order that is placed `microseconds` after a fixed time.
pub(crate) fn sale(number: u32, microseconds: i64) -> anyhow::Result<Sale> {
    let (_, created) = order(number, 1, time(microseconds)?)?;
    Sale::from_event(&created).context("the ledger records placed orders")
}

/// The same sale, paid `microseconds` after a fixed time.
pub(crate) fn paid(sale: &Sale, microseconds: i64) -> anyhow::Result<Sale> {
    let paid = Timestamped { at: time(microseconds)?, value: Paid { amount: euros(3750)? } };
    Ok(Sale { paid: Some(paid), ..sale.clone() })
}

/// All rows of the partition of `like`, from all pages.
async fn all_rows<R: Row>(table: &dyn LedgerTable<R>, like: &R) -> anyhow::Result<Vec<R>> {
    let (start, end) = (Position::at(Timestamp::UNIX_EPOCH), Position::at(Timestamp::MAX));
    read(table, like.partition(), start, &end).await
}

async fn read<R: Row>(
    table: &dyn LedgerTable<R>,
    partition: Partition,
    from: Position,
    until: &Position,
) -> anyhow::Result<Vec<R>> {
    let (mut found, mut next) = (Vec::new(), Some(from));
    // Fails if the pages never end.
    for _ in 0..1000 {
        let Some(from) = next else { return Ok(found) };
        let page = table.read_page(partition, &from, until).await?;
        found.extend(page.rows);
        next = page.next;
    }
    anyhow::bail!("the pages do not end")
}

impl World {
    /// The bookings of the day and the shard of a sale.
    async fn bookings_like(&self, sale: &Sale) -> anyhow::Result<Vec<Booking>> {
        all_rows(&*self.bookings, sale.bookings().first().context("a sale has a booking")?).await
    }
}

async fn a_new_sale_requires_a_missing_one(world: &World) -> anyhow::Result<()> {
    let first = sale(1, 0)?;
    same("no sale", world.ledger.get(order_id(1)).await?, None)?;
    let read = Versioned { value: first.clone(), version: 1 };
    same("a later version", world.ledger.write(Some(&read), &paid(&first, 1)?).await?, false)?;
    same("still none", world.ledger.get(order_id(1)).await?, None)?;
    same("the first", world.ledger.write(None, &first).await?, true)?;
    same("another first", world.ledger.write(None, &paid(&first, 1)?).await?, false)?;
    same("the same first again", world.ledger.write(None, &first).await?, false)?;
    same("read", world.ledger.get(order_id(1)).await?, Some(read))?;
    same("its bookings", world.bookings_like(&first).await?, first.bookings())
}

async fn a_sale_changes_only_from_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    let first = sale(1, 0)?;
    same("the first", world.ledger.write(None, &first).await?, true)?;
    let read = world.ledger.get(order_id(1)).await?.context("no sale")?;
    let second = paid(&first, 2)?;
    same("paid", world.ledger.write(Some(&read), &second).await?, true)?;
    let late = Sale { reserved: Some(Timestamped { at: time(1)?, value: () }), ..first.clone() };
    let future = Versioned { value: second.clone(), version: 3 };
    for stale in [&read, &future] {
        same("at another version", world.ledger.write(Some(stale), &late).await?, false)?;
    }
    let stored = Versioned { value: second, version: 2 };
    same("read", world.ledger.get(order_id(1)).await?, Some(stored.clone()))?;
    same("the next", world.ledger.write(Some(&stored), &stored.value).await?, true)
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let at = Timestamp::from_nanosecond(1_795_428_930_123_456_789)?;
    let refund = Timestamped { at, value: Refunded { amount: euros(1)? } };
    let full = Sale {
        reserved: Some(Timestamped { at, value: () }),
        cancellation: Some(Timestamped { at, value: () }),
        rejected: Some(Timestamped { at, value: Rejected { shortages: Vec::new() } }),
        declined: Some(Timestamped { at, value: () }),
        refunds: [("re_1".parse()?, refund.clone()), ("re_2".parse()?, refund)].into(),
        ..paid(&sale(1, 0)?, 1)?
    };
    same("written", world.ledger.write(None, &full).await?, true)?;
    let stored = Versioned { value: full.clone(), version: 1 };
    same("read", world.ledger.get(order_id(1)).await?, Some(stored))?;
    same("the sales of its day", all_rows(&*world.sales, &full).await?, vec![full.clone()])?;
    let mut bookings = full.bookings();
    bookings.sort_by_key(Row::position);
    same("the bookings of its day", world.bookings_like(&full).await?, bookings)
}

async fn bookings_are_written_atomically_with_their_sale(world: &World) -> anyhow::Result<()> {
    let (first, other) = (sale(1, 0)?, paid(&sale(1, 0)?, 9)?);
    same("the first", world.ledger.write(None, &first).await?, true)?;
    let read = world.ledger.get(order_id(1)).await?.context("no sale")?;
    let second = Sale { reserved: Some(Timestamped { at: time(1)?, value: () }), ..first.clone() };
    same("the second", world.ledger.write(Some(&read), &second).await?, true)?;
    same("late", world.ledger.write(Some(&read), &other).await?, false)?;
    same("books nothing", world.bookings_like(&first).await?, first.bookings())?;
    let read = world.ledger.get(order_id(1)).await?.context("no sale")?;
    let both = paid(&second, 9)?;
    same("at the current version", world.ledger.write(Some(&read), &both).await?, true)?;
    same("books the payment", world.bookings_like(&first).await?, both.bookings())
}

async fn a_corrected_booking_moves(world: &World) -> anyhow::Result<()> {
    // To another time of the day, and to the day before.
    let day = 86_400_000_000;
    let first = paid(&sale(1, 0)?, 3 * day + 9)?;
    same("the first", world.ledger.write(None, &first).await?, true)?;
    for (version, microseconds) in (1..).zip([3 * day + 5, 2 * day]) {
        let read = world.ledger.get(order_id(1)).await?.context("no sale")?;
        let corrected = paid(&first, microseconds)?;
        same("its version", read.version, version)?;
        same("corrected", world.ledger.write(Some(&read), &corrected).await?, true)?;
        let mut payments = Vec::new();
        for at in [3 * day, 2 * day] {
            let like = Booking { at: time(at)?, ..first.bookings()[0].clone() };
            payments.extend(all_rows(&*world.bookings, &like).await?);
        }
        payments.retain(|booking| matches!(booking.kind, BookingKind::Paid { .. }));
        let times: Vec<Timestamp> = payments.iter().map(|booking| booking.at).collect();
        same("the times of the payment", times, vec![time(microseconds)?])?;
    }
    Ok(())
}

async fn rows_are_read_from_inclusive_to_exclusive(world: &World) -> anyhow::Result<()> {
    // Ids with the same last digit share a partition.
    for number in 1..=4 {
        let written = world.ledger.write(None, &sale(number << 4, number.into())?).await?;
        same("the sale", written, true)?;
    }
    same("of another partition", world.ledger.write(None, &sale(1, 2)?).await?, true)?;
    let partition = sale(1 << 4, 0)?.partition();
    for (from, until, expected) in [(1, 3, vec![1, 2]), (2, 9, vec![2, 3, 4]), (0, 1, vec![]), (3, 3, vec![])]
    {
        let (from, until) = (Position::at(time(from)?), Position::at(time(until)?));
        let found = read(&*world.sales, partition, from, &until).await?;
        let found = found.iter().map(|sale| sale.order_id).collect::<Vec<_>>();
        same("in the range", found, expected.iter().map(|number: &u32| order_id(number << 4)).collect())?;
    }
    Ok(())
}

async fn every_row_of_a_partition_is_read_exactly_once(world: &World) -> anyhow::Result<()> {
    // More than a page of the table. Many have the same time.
    let sales = (1..=205).map(|number| sale(number << 4, i64::from(number / 7)));
    let mut sales = sales.collect::<anyhow::Result<Vec<_>>>()?;
    for chunk in sales.chunks(10) {
        let written = try_join_all(chunk.iter().map(|sale| world.ledger.write(None, sale))).await?;
        same("all of them", written.iter().all(|written| *written), true)?;
    }
    sales.sort_by_key(Row::position);
    let first = sales.first().context("there are sales")?;
    let found = all_rows(&*world.sales, first).await?;
    same(
        "sales",
        found.iter().map(Row::position).collect(),
        sales.iter().map(Row::position).collect::<Vec<_>>(),
    )?;
    same("bookings", world.bookings_like(first).await?.len(), sales.len())
}

async fn concurrent_writers_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    let first = sale(1, 0)?;
    for version in 1..=3 {
        let read = world.ledger.get(order_id(1)).await?;
        let all = (1..=20).map(|number| paid(&first, number)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.iter().map(|new| world.ledger.write(read.as_ref(), new))).await?;
        let won: Vec<&Sale> = all.iter().zip(answers).filter_map(|(new, won)| won.then_some(new)).collect();
        same("writers that won", won.len(), 1)?;
        let stored = world.ledger.get(order_id(1)).await?.context("no sale")?;
        same("read", (Some(&stored.value), stored.version), (won.first().copied(), version))?;
        same("booked", world.bookings_like(&first).await?, stored.value.bookings())?;
    }
    Ok(())
}
