//! `search::postings::store::Rows`: the records and postings of the search index.

use std::sync::Arc;

use domain::order::Order;
use futures::future::try_join_all;
use search::document::Document;
use search::postings::store::{MAX_RECORDS, MAX_REMOVALS, Record, Rows};
use search::postings::{Posting, Range};

use crate::check::{contract_suite, same};
use crate::sample::{order, order_id, time};

/// The empty tables of an index.
#[derive(Clone)]
pub struct World {
    /// The rows under test.
    pub rows: Arc<dyn Rows>,
}

contract_suite!(World:
    the_first_write_requires_a_missing_record,
    each_write_requires_the_stamp_that_was_read,
    reads_return_what_was_written,
    postings_are_removed_only_at_the_stamp_of_their_record,
    postings_are_removed_atomically,
    every_posting_of_a_range_is_read_exactly_once,
    records_are_read_by_their_ids,
    concurrent_writers_of_one_stamp_have_one_winner,
);

/// The record of an order at `stamp`, in which `version` tells those of one stamp apart.
pub(crate) fn record(number: u32, stamp: u64, version: u64) -> anyhow::Result<Record> {
    let (order, _): (Order, _) = order(number, 1, time(0)?)?;
    let document = Document::from_order(&order, version, &Default::default());
    Ok(Record {
        order_id: order.id,
        stamp,
        audiences: document.audiences(),
        terms: document.terms(),
        document: Some(document),
        debris: Default::default(),
        expires_at: None,
    })
}

fn posting(number: usize) -> Posting {
    Posting { partition: "all#te".to_owned(), sort: format!("tea g {number:04}") }
}

fn postings(numbers: std::ops::RangeInclusive<usize>) -> Vec<Posting> {
    numbers.map(posting).collect()
}

impl World {
    /// All postings of the partition.
    async fn postings(&self) -> anyhow::Result<Vec<Posting>> {
        let range = Range { partition: "all#te".to_owned(), first: "tea".to_owned(), last: "teb".to_owned() };
        Ok(self.rows.read_postings(&range, None, 1000).await?.postings)
    }
}

async fn the_first_write_requires_a_missing_record(world: &World) -> anyhow::Result<()> {
    let rows = &world.rows;
    same("none", rows.record(order_id(1)).await?, None)?;
    same("a later stamp", rows.write_record(Some(1), &record(1, 2, 1)?).await?, false)?;
    same("still none", rows.record(order_id(1)).await?, None)?;
    same("the first", rows.write_record(None, &record(1, 1, 1)?).await?, true)?;
    same("another first", rows.write_record(None, &record(1, 1, 2)?).await?, false)?;
    same("read", rows.record(order_id(1)).await?, Some(record(1, 1, 1)?))
}

async fn each_write_requires_the_stamp_that_was_read(world: &World) -> anyhow::Result<()> {
    let rows = &world.rows;
    same("the first", rows.write_record(None, &record(1, 1, 1)?).await?, true)?;
    for stamp in 2..=4 {
        let next = record(1, stamp, 1)?;
        same("the next", rows.write_record(Some(stamp - 1), &next).await?, true)?;
        same("again", rows.write_record(Some(stamp - 1), &next).await?, false)?;
    }
    for read in [1, 3, 5] {
        let written = rows.write_record(Some(read), &record(1, read + 1, 9)?).await?;
        same(&format!("stamp {read} of 4"), written, false)?;
        same("read", rows.record(order_id(1)).await?, Some(record(1, 4, 1)?))?;
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let full = Record { debris: postings(1..=3).into_iter().collect(), ..record(1, 1, 1)? };
    let tombstone = Record {
        stamp: 2,
        document: None,
        audiences: Default::default(),
        terms: Default::default(),
        expires_at: Some(4_000_000_000),
        ..full.clone()
    };
    for (read, record) in [(None, full), (Some(1), tombstone)] {
        same("written", world.rows.write_record(read, &record).await?, true)?;
        same("read", world.rows.record(order_id(1)).await?, Some(record))?;
    }
    Ok(())
}

async fn postings_are_removed_only_at_the_stamp_of_their_record(world: &World) -> anyhow::Result<()> {
    let rows = &world.rows;
    rows.put_postings(&postings(1..=3)).await?;
    same("without a record", rows.remove_postings(order_id(1), 1, &postings(1..=1)).await?, false)?;
    same("the first", rows.write_record(None, &record(1, 1, 1)?).await?, true)?;
    same("the second", rows.write_record(Some(1), &record(1, 2, 1)?).await?, true)?;
    same("of another order", rows.write_record(None, &record(2, 1, 1)?).await?, true)?;
    for stamp in [1, 3] {
        let removed = rows.remove_postings(order_id(1), stamp, &postings(1..=1)).await?;
        same(&format!("at stamp {stamp} of 2"), removed, false)?;
        same("the postings", world.postings().await?, postings(1..=3))?;
    }
    same("at stamp 2", rows.remove_postings(order_id(1), 2, &postings(1..=1)).await?, true)?;
    same("the postings", world.postings().await?, postings(2..=3))?;
    // Removing is idempotent, and does not change the record.
    same("again", rows.remove_postings(order_id(1), 2, &postings(1..=2)).await?, true)?;
    same("the postings", world.postings().await?, postings(3..=3))?;
    same("the record", rows.record(order_id(1)).await?, Some(record(1, 2, 1)?))
}

async fn postings_are_removed_atomically(world: &World) -> anyhow::Result<()> {
    let all = postings(1..=MAX_REMOVALS);
    world.rows.put_postings(&all).await?;
    same("the record", world.rows.write_record(None, &record(1, 1, 1)?).await?, true)?;
    same("refused", world.rows.remove_postings(order_id(1), 2, &all).await?, false)?;
    same("the postings", world.postings().await?.len(), MAX_REMOVALS)?;
    same("removed", world.rows.remove_postings(order_id(1), 1, &all).await?, true)?;
    same("the postings", world.postings().await?.len(), 0)
}

async fn every_posting_of_a_range_is_read_exactly_once(world: &World) -> anyhow::Result<()> {
    // More than a request accepts; written twice.
    world.rows.put_postings(&postings(1..=60)).await?;
    world.rows.put_postings(&postings(31..=60)).await?;
    let other = Posting { partition: "all#co".to_owned(), ..posting(5) };
    world.rows.put_postings(&[other]).await?;
    let range = Range { partition: "all#te".to_owned(), first: posting(11).sort, last: posting(50).sort };
    for limit in [1, 7, 40, 41] {
        let (mut found, mut after): (Vec<Posting>, Option<Posting>) = (Vec::new(), None);
        loop {
            let page = world.rows.read_postings(&range, after.as_ref(), limit).await?;
            anyhow::ensure!(page.postings.len() <= limit, "more than {limit} on a page");
            found.extend(page.postings);
            anyhow::ensure!(found.len() <= 40, "postings are repeated: {}", found.len());
            after = found.last().cloned().filter(|_| page.has_more);
            if after.is_none() {
                break;
            }
        }
        same(&format!("in pages of {limit}"), found, postings(11..=50))?;
    }
    Ok(())
}

async fn records_are_read_by_their_ids(world: &World) -> anyhow::Result<()> {
    for number in [1, 2] {
        same("written", world.rows.write_record(None, &record(number, 1, 1)?).await?, true)?;
    }
    let ids: Vec<_> = (1..=u32::try_from(MAX_RECORDS)?).map(order_id).collect();
    let mut found = world.rows.records(&ids).await?;
    found.sort_unstable_by_key(|record| record.order_id);
    same("the records", found, vec![record(1, 1, 1)?, record(2, 1, 1)?])
}

async fn concurrent_writers_of_one_stamp_have_one_winner(world: &World) -> anyhow::Result<()> {
    for stamp in 1..=3 {
        let read = (stamp > 1).then(|| stamp - 1);
        let all = (1..=20).map(|version| record(1, stamp, version)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.iter().map(|new| world.rows.write_record(read, new))).await?;
        let won: Vec<&Record> = all.iter().zip(answers).filter_map(|(new, won)| won.then_some(new)).collect();
        same("writers that won", won.len(), 1)?;
        same("read", world.rows.record(order_id(1)).await?.as_ref(), won.first().copied())?;
    }
    Ok(())
}
