//! Ports that fail: before their effect, after it, by never answering, or by taking all the time there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, Sku};
use inventory::import::apply::{Change, Seen, Stock};
use inventory::import::progress::{GoOn, Import, Imports};
use jiff::SignedDuration;
use platform::memory::ManualClock;
use platform::objects::{MultipartUpload, Object, ObjectStore, ObjectStream, Part};
use serde_json::Value;

/// Burns down with each call; at the last one something happens, once.
pub(crate) struct Fuse {
    left: AtomicU32,
    kind: Kind,
}

enum Kind {
    Before,
    After,
    Cut,
    Slow(Arc<ManualClock>),
}

impl Fuse {
    /// One that never burns down.
    pub(crate) fn none() -> Arc<Self> {
        Self::new(Kind::Before, u32::MAX)
    }

    /// After so many calls, one never answers.
    pub(crate) fn cut_at(calls: u32) -> Arc<Self> {
        Self::new(Kind::Cut, calls)
    }

    /// After so many calls, one fails, in one of four ways.
    pub(crate) fn of_kind(kind: usize, calls: u32, clock: &Arc<ManualClock>) -> Arc<Self> {
        let kinds = [Kind::Before, Kind::After, Kind::Cut, Kind::Slow(Arc::clone(clock))];
        Self::new(kinds.into_iter().nth(kind).unwrap(), calls)
    }

    fn new(kind: Kind, calls: u32) -> Arc<Self> {
        Arc::new(Self { left: AtomicU32::new(calls), kind })
    }

    async fn call<T>(&self, call: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        if self.left.load(Ordering::SeqCst) == u32::MAX || self.left.fetch_sub(1, Ordering::SeqCst) != 0 {
            return call.await;
        }
        match &self.kind {
            Kind::Before => anyhow::bail!("it failed before its effect"),
            Kind::After => {
                call.await?;
                anyhow::bail!("it failed after its effect")
            }
            Kind::Slow(clock) => {
                clock.advance(SignedDuration::from_secs(90));
                call.await
            }
            Kind::Cut => {
                call.await?;
                std::future::pending().await
            }
        }
    }
}

/// A port behind a fuse.
pub(crate) struct Faulty<P> {
    port: Arc<P>,
    fuse: Arc<Fuse>,
}

impl<P> Faulty<P> {
    pub(crate) fn new(port: Arc<P>, fuse: &Arc<Fuse>) -> Self {
        Self { port, fuse: Arc::clone(fuse) }
    }
}

#[async_trait]
impl<P: Stock> Stock for Faulty<P> {
    async fn look(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, Seen>> {
        self.fuse.call(self.port.look(file, skus)).await
    }
    async fn change(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        self.fuse.call(self.port.change(file, changes)).await
    }
}

#[async_trait]
impl<P: Imports> Imports for Faulty<P> {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        self.fuse.call(self.port.get(id)).await
    }
    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        self.fuse.call(self.port.write(import, read)).await
    }
}

#[async_trait]
impl<P: GoOn> GoOn for Faulty<P> {
    async fn go_on(&self, message: &Value, after: Duration) -> anyhow::Result<()> {
        self.fuse.call(self.port.go_on(message, after)).await
    }
}

#[async_trait]
impl<P: ObjectStore> ObjectStore for Faulty<P> {
    async fn read(&self, key: &str, from: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        self.fuse.call(self.port.read(key, from, etag)).await
    }
    async fn write(&self, file: Object) -> anyhow::Result<()> {
        self.fuse.call(self.port.write(file)).await
    }
    async fn write_if_absent(&self, file: Object) -> anyhow::Result<bool> {
        self.fuse.call(self.port.write_if_absent(file)).await
    }
    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.fuse.call(self.port.delete(key)).await
    }
    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        self.fuse.call(self.port.start_upload(key, content_type)).await
    }
    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.fuse.call(self.port.upload_part(upload, number, body)).await
    }
    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()> {
        self.fuse.call(self.port.complete_upload(upload, parts)).await
    }
    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        self.fuse.call(self.port.abort_upload(upload)).await
    }
    async fn presigned_url(&self, key: &str, time: Duration, name: Option<&str>) -> anyhow::Result<String> {
        self.fuse.call(self.port.presigned_url(key, time, name)).await
    }
}
