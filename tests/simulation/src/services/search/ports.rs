//! The ports of the search functions.

use async_trait::async_trait;
use domain::OrderId;
use orders::store::Orders;
use search::image::OrderImage;
use search::postings::store::{PostingPage, Record, Rows};
use search::postings::{Posting, Range};
use search::store::{ImagePage, OrderImages};

use crate::mutation::Mutation;
use crate::ports::{Ports, now};

/// The number of postings that one request of `BatchWriteItem` puts.
const BATCH_SIZE: usize = 25;

#[async_trait]
impl OrderImages for Ports {
    /// Returns one order per page.
    async fn read_page(
        &self,
        segment: u32,
        total_segments: u32,
        after: Option<&OrderId>,
    ) -> anyhow::Result<ImagePage> {
        let after = after.copied();
        self.read("orders.scan", move |world| {
            let in_segment = |order: &OrderId| {
                let bytes = order.to_string().bytes().map(u32::from).sum::<u32>();
                bytes.checked_rem(total_segments) == Some(segment) && after.is_none_or(|after| *order > after)
            };
            let mut rest = world.orders.all().into_keys().filter(in_segment);
            let Some(order) = rest.next() else { return Ok(ImagePage::default()) };
            let stored = now(Orders::get(&world.orders, order))?;
            let images = stored.map(|stored| OrderImage { order: stored.value, version: stored.version });
            let next = rest.next().map(|_| order);
            Ok(ImagePage { images: images.into_iter().collect(), invalid_rows: Vec::new(), next })
        })
        .await
    }

    async fn find_missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>> {
        let orders = orders.to_vec();
        self.read("orders.find_missing", move |world| {
            let all = world.orders.all();
            Ok(orders.iter().filter(|order| !all.contains_key(order)).copied().collect())
        })
        .await
    }
}

#[async_trait]
impl Rows for Ports {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        self.read("search.record", move |world| now(world.parts.search.rows.record(order))).await
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        let orders = orders.to_vec();
        self.read("search.records", move |world| now(world.parts.search.rows.records(&orders))).await
    }

    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        let record = record.clone();
        self.read("search.write_record", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            let rows = &world.parts.search.rows;
            let stored = now(rows.record(record.order_id))?;
            let expected_stamp = if world.has_mutation(Mutation::UnconditionalIndexWrite) {
                stored.as_ref().map(|stored| stored.stamp)
            } else {
                expected_stamp
            };
            let is_written = now(rows.write_record(expected_stamp, &record))?;
            let version = |record: &Record| record.document.as_ref().map(|document| document.version);
            if is_written && stored.as_ref().and_then(version) > version(&record) {
                world.report_violation(format!(
                    "the index replaces order {} by an older version",
                    record.order_id
                ));
            }
            Ok(is_written)
        })
        .await
    }

    /// One call for each batch, so that after a failure some postings exist.
    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()> {
        for batch in postings.chunks(BATCH_SIZE) {
            let batch = batch.to_vec();
            self.read("search.put_postings", move |world| now(world.parts.search.rows.put_postings(&batch)))
                .await?;
        }
        Ok(())
    }

    async fn remove_postings(
        &self,
        order: OrderId,
        stamp: u64,
        postings: &[Posting],
    ) -> anyhow::Result<bool> {
        let postings = postings.to_vec();
        self.read("search.remove_postings", move |world| {
            now(world.parts.search.rows.remove_postings(order, stamp, &postings))
        })
        .await
    }

    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        let (range, after) = (range.clone(), after.cloned());
        self.read("search.read_postings", move |world| {
            now(world.parts.search.rows.read_postings(&range, after.as_ref(), limit))
        })
        .await
    }
}
