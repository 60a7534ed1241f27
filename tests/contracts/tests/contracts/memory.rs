//! The in-memory implementations satisfy every contract.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use contracts::{
    bus, import_stock, objects, orders, payments, products, provider, quarantine, queue, search_index,
};
use domain::payment::IntentStatus;
use domain::{DeclineReason, Event, OrderId, PaymentIntentId};
use inventory::adapters::memory::InMemoryInventory;
use inventory::product::Product;
use media::adapters::memory::InMemoryQuarantine;
use media::store::FileVersion;
use platform::clock::SystemClock;
use platform::memory::{Bucket, Bus, Queue};
use search::adapters::memory::InMemoryRows;
use search::postings::PostingsIndex;
use uuid::Uuid;

use crate::worlds;

pub(crate) use ::orders::adapters::memory::InMemoryOrders;
pub(crate) use ::payments::adapters::memory::{InMemoryPayments, InMemoryProvider};

/// Fails if a contract is violated.
pub(crate) fn all_hold(violations: anyhow::Result<contracts::Violations>) {
    let violations = violations.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}

pub(crate) fn orders_world() -> orders::World {
    let store = Arc::new(InMemoryOrders::default());
    orders::World { orders: store.clone(), outbox: store }
}

pub(crate) fn inventory_world() -> products::World {
    let store = Arc::new(InMemoryInventory::default());
    products::World { products: store.clone(), reservations: store }
}

pub(crate) fn payments_world() -> payments::World {
    payments::World { payments: Arc::new(InMemoryPayments::default()) }
}

pub(crate) struct InMemoryControl(pub(crate) Arc<InMemoryProvider>);

#[async_trait]
impl provider::Control for InMemoryControl {
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize> {
        Ok(usize::try_from(self.0.captures(order))?)
    }

    async fn forget(&self, _: &str) -> anyhow::Result<()> {
        self.0.forget_keys();
        Ok(())
    }

    async fn finish_processing(&self, _: &PaymentIntentId, is_charged: bool) -> anyhow::Result<()> {
        let failed =
            IntentStatus::Declined(DeclineReason::from_code("payment_intent_payment_attempt_failed"));
        self.0.finish_processing(if is_charged { &IntentStatus::Succeeded } else { &failed });
        Ok(())
    }
}

pub(crate) fn provider_world() -> provider::World {
    let provider = Arc::new(InMemoryProvider::default());
    let order = OrderId::from(Uuid::from_u128(7));
    provider::World { provider: provider.clone(), control: Arc::new(InMemoryControl(provider)), order }
}

pub(crate) struct Published(pub(crate) Arc<Bus>);

#[async_trait]
impl bus::Subscriber for Published {
    async fn received(&self, _: usize) -> anyhow::Result<Vec<Event>> {
        Ok(self.0.published())
    }
}

/// Reads the calls that the in-memory queue has recorded.
pub(crate) struct RecordedQueue(pub(crate) Arc<Queue>);

#[async_trait]
impl queue::Broker for RecordedQueue {
    async fn send_and_receive(&self) -> anyhow::Result<String> {
        Ok("receipt-1".to_owned())
    }

    async fn is_redelivered_within(&self, wait: Duration) -> anyhow::Result<bool> {
        Ok(self.0.visibility_extensions().iter().all(|(_, timeout)| *timeout <= wait))
    }

    async fn dead_letters(&self) -> anyhow::Result<Vec<(String, BTreeMap<String, String>)>> {
        let attributes = |letter: &platform::queue::DeadLetter| {
            let mut set = BTreeMap::from([
                ("error".to_owned(), letter.error.clone()),
                ("kind".to_owned(), letter.kind.to_owned()),
                ("function".to_owned(), letter.function.to_owned()),
                ("attempt".to_owned(), letter.attempt.to_string()),
                ("failed_at".to_owned(), letter.failed_at.to_string()),
            ]);
            set.extend(letter.correlation_id.clone().map(|id| ("correlation_id".to_owned(), id)));
            (letter.body.clone(), set)
        };
        Ok(self.0.dead_letters().iter().map(attributes).collect())
    }
}

/// Resolves the presigned URLs of the in-memory bucket.
pub(crate) struct LinkReader(pub(crate) Arc<Bucket>);

#[async_trait]
impl objects::AnonymousClient for LinkReader {
    async fn fetch(&self, link: &str) -> anyhow::Result<Bytes> {
        let key = link.strip_prefix("https://files.example.com/").and_then(|rest| rest.rsplit_once('?'));
        let (key, _) = key.context("not a URL of this bucket")?;
        Ok(self.0.get(key).context("no such object")?.body)
    }
}

/// Stores products without a revision, which is 0 in memory.
pub(crate) struct Earlier(pub(crate) Arc<InMemoryInventory>);

#[async_trait]
impl import_stock::EarlierRelease for Earlier {
    async fn store(&self, product: &Product) -> anyhow::Result<()> {
        self.0.insert_product(Product { revision: 0, ..product.clone() });
        Ok(())
    }
}

/// Uploads files to the in-memory quarantine, which has no versions.
pub(crate) struct Uploader(pub(crate) Arc<InMemoryQuarantine>);

#[async_trait]
impl quarantine::Uploader for Uploader {
    async fn upload(&self, key: &str, content: Bytes) -> anyhow::Result<FileVersion> {
        let etag = format!("etag of {}", content.len());
        self.0.put(key, &etag, content);
        Ok(FileVersion { key: key.to_owned(), etag, version: None })
    }
}

macro_rules! tests {
    ($($suite:ident => [$($adapter:literal),+ $(,)?],)+) => {
        $(
            #[tokio::test]
            async fn $suite() {
                all_hold(contracts::$suite::violations(async || Ok(worlds::$suite())).await);
            }
        )+
    };
}
contracts::for_each_port!(tests);

#[tokio::test]
async fn the_search_index_over_rows() {
    let postings = async || {
        let index = PostingsIndex::new(InMemoryRows::default(), Arc::new(SystemClock));
        Ok(search_index::World { index: Arc::new(index) })
    };
    all_hold(search_index::violations(postings).await);
}
