//! Writing: first the new postings, then the record that needs them, then the removal of obsolete postings.

use std::collections::BTreeSet;

use domain::OrderId;
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::optimistic::Attempts;

use super::keys::Posting;
use super::store::{MAX_DEBRIS, MAX_REMOVALS, Record, Rows};
use crate::document::Document;
use crate::store::IndexOutcome;
use crate::term::Term;

/// The lifetime of the tombstone of a removed order: longer than the retention of the stream (a day) and the
/// duration of a rebuild, either of which could restore the order.
const TOMBSTONE_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) async fn index(
    rows: &impl Rows,
    document: Document,
    clock: &dyn Clock,
) -> anyhow::Result<IndexOutcome> {
    let order = document.order_id;
    let new_attempts = || Attempts::at(format!("the record of order {order}"), clock);
    let mut attempts = new_attempts();
    loop {
        attempts.start().await?;
        let read = rows.record(order).await?;
        let stamp = read.as_ref().map(|record| record.stamp);
        let next_stamp = stamp.unwrap_or_default().saturating_add(1);
        let (mut next, old) = match read {
            // The new document may need a posting that is listed for removal, so the removal has to complete
            // first.
            Some(record) if !record.debris.is_empty() => {
                remove_debris(rows, record).await?;
                continue;
            }
            Some(Record { document: None, .. }) => return Ok(IndexOutcome::Removed),
            Some(Record { document: Some(ref known), .. }) => {
                let next = Record::new(document.clone().merged_with(known), next_stamp);
                (next, read)
            }
            None => (Record::new(document.clone(), next_stamp), None),
        };
        if let Some(old) = &old
            && let Some(obsolete) = surplus(old, &next.terms)
        {
            if remove_terms(rows, old, &obsolete).await? {
                attempts = new_attempts();
            }
            continue;
        }
        let (needed, existing) = (next.postings(), old.as_ref().map(Record::postings).unwrap_or_default());
        if old.is_some_and(|old| old.document == next.document && existing == needed) {
            return Ok(IndexOutcome::Unchanged);
        }
        let new: Vec<Posting> = needed.difference(&existing).cloned().collect();
        rows.put_postings(&new).await?;
        next.debris = existing.difference(&needed).cloned().collect();
        if rows.write_record(stamp, &next).await? {
            remove_debris(rows, next).await?;
            return Ok(IndexOutcome::Written);
        }
    }
}

pub(super) async fn remove(rows: &impl Rows, order: OrderId, clock: &dyn Clock) -> anyhow::Result<()> {
    let new_attempts = || Attempts::at(format!("the record of order {order}"), clock);
    let mut attempts = new_attempts();
    loop {
        attempts.start().await?;
        let read = rows.record(order).await?;
        let stamp = read.as_ref().map(|record| record.stamp);
        match &read {
            Some(record) if !record.debris.is_empty() => {
                remove_debris(rows, record.clone()).await?;
                continue;
            }
            Some(Record { document: None, .. }) => return Ok(()),
            Some(record) => {
                if let Some(terms) = surplus(record, &BTreeSet::new()) {
                    if remove_terms(rows, record, &terms).await? {
                        attempts = new_attempts();
                    }
                    continue;
                }
            }
            None => {}
        }
        let tombstone = Record {
            order_id: order,
            stamp: stamp.unwrap_or_default().saturating_add(1),
            document: None,
            audiences: Default::default(),
            terms: Default::default(),
            debris: read.as_ref().map(Record::postings).unwrap_or_default(),
            expires_at: Some(clock.now().saturating_add(TOMBSTONE_TTL).unwrap_or(Timestamp::MAX).as_second()),
        };
        if rows.write_record(stamp, &tombstone).await? {
            return remove_debris(rows, tombstone).await;
        }
    }
}

/// Returns some of the terms of a record that are not among the needed ones, if the postings of all of them
/// are too many to become debris in one write.
fn surplus(record: &Record, needed: &BTreeSet<Term>) -> Option<BTreeSet<Term>> {
    let max = MAX_DEBRIS.checked_div(record.audiences.len()).unwrap_or(MAX_DEBRIS);
    let is_surplus = record.terms.difference(needed).nth(max).is_some();
    is_surplus.then(|| record.terms.difference(needed).take(max).cloned().collect())
}

/// Removes terms from a record, and their postings. Returns `false` if the record was changed concurrently.
async fn remove_terms(rows: &impl Rows, record: &Record, terms: &BTreeSet<Term>) -> anyhow::Result<bool> {
    let next = record.without(terms);
    let is_written = rows.write_record(Some(record.stamp), &next).await?;
    if is_written {
        remove_debris(rows, next).await?;
    }
    Ok(is_written)
}

/// Removes the postings that a record lists as debris, and stops once the record has changed: another writer
/// removes the debris before it writes, and may then have created the same postings again.
async fn remove_debris(rows: &impl Rows, record: Record) -> anyhow::Result<()> {
    if record.debris.is_empty() {
        return Ok(());
    }
    let debris: Vec<Posting> = record.debris.iter().cloned().collect();
    for some in debris.chunks(MAX_REMOVALS) {
        if !rows.remove_postings(record.order_id, record.stamp, some).await? {
            return Ok(());
        }
    }
    let clean =
        Record { debris: Default::default(), stamp: record.stamp.saturating_add(1), ..record.clone() };
    rows.write_record(Some(record.stamp), &clean).await?;
    Ok(())
}
