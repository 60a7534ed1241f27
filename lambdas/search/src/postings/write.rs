//! Writing: postings first, then the record that needs them, then away with what it no longer needs.

use domain::OrderId;
use jiff::{SignedDuration, Timestamp};

use super::keys::Posting;
use super::rows::{MOST_REMOVED, Record, Rows};
use crate::document::Document;
use crate::store::Indexed;

/// How often a record is read again when others wrote it in between. Each time, somebody else got on.
const TRIES: u32 = 16;
/// How long a removed order is remembered: longer than a stream keeps what it could bring back (a day), or a rebuild
/// takes.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) async fn index(rows: &impl Rows, document: Document) -> anyhow::Result<Indexed> {
    let order = document.order_id;
    for _ in 0..TRIES {
        let read = rows.record(order).await?;
        let stamp = read.as_ref().map(|record| record.stamp);
        let next_stamp = stamp.unwrap_or_default().saturating_add(1);
        let (mut next, old) = match read {
            // What somebody noted to be removed may be what is needed now: first it has to be gone, for good.
            Some(record) if !record.debris.is_empty() => {
                clean(rows, record).await?;
                continue;
            }
            Some(Record { document: None, .. }) => return Ok(Indexed::Removed),
            Some(Record { document: Some(ref known), .. }) => {
                let next = Record::of(document.clone().joined(known), next_stamp);
                (next, read)
            }
            None => (Record::of(document.clone(), next_stamp), None),
        };
        let (needed, had) = (next.postings(), old.as_ref().map(Record::postings).unwrap_or_default());
        if old.is_some_and(|old| old.document == next.document && had == needed) {
            return Ok(Indexed::Unchanged);
        }
        let new: Vec<Posting> = needed.difference(&had).cloned().collect();
        rows.put(&new).await?;
        next.debris = had.difference(&needed).cloned().collect();
        if rows.write(stamp, &next).await? {
            clean(rows, next).await?;
            return Ok(Indexed::Written);
        }
    }
    anyhow::bail!("order {order} was written by others {TRIES} times while it was being indexed")
}

pub(super) async fn remove(rows: &impl Rows, order: OrderId, now: Timestamp) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        let read = rows.record(order).await?;
        let stamp = read.as_ref().map(|record| record.stamp);
        match &read {
            Some(record) if !record.debris.is_empty() => {
                clean(rows, record.clone()).await?;
                continue;
            }
            Some(Record { document: None, .. }) => return Ok(()),
            _ => {}
        }
        let gone = Record {
            order_id: order,
            stamp: stamp.unwrap_or_default().saturating_add(1),
            document: None,
            audiences: Default::default(),
            terms: Default::default(),
            debris: read.as_ref().map(Record::postings).unwrap_or_default(),
            expires_at: Some(now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX).as_second()),
        };
        if rows.write(stamp, &gone).await? {
            return clean(rows, gone).await;
        }
    }
    anyhow::bail!("order {order} was written by others {TRIES} times while it was being removed")
}

/// Removes what a record notes as debris, as long as nobody writes the record: whoever does has cleaned up first, and
/// may have written the same postings anew.
async fn clean(rows: &impl Rows, record: Record) -> anyhow::Result<()> {
    if record.debris.is_empty() {
        return Ok(());
    }
    let debris: Vec<Posting> = record.debris.iter().cloned().collect();
    for some in debris.chunks(MOST_REMOVED) {
        if !rows.remove(record.order_id, record.stamp, some).await? {
            return Ok(());
        }
    }
    let clean =
        Record { debris: Default::default(), stamp: record.stamp.saturating_add(1), ..record.clone() };
    rows.write(Some(record.stamp), &clean).await?;
    Ok(())
}
