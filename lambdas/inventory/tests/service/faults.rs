//! Ports with injected faults: before or after the effect, by never returning, or by exceeding the time
//! limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, Sku};
use inventory::import::progress::Import;
use inventory::import::store::{Change, CurrentState, Imports, ResumeQueue, Stock};
use jiff::SignedDuration;
use platform::memory::ManualClock;
use platform::objects::{MultipartUpload, Object, ObjectStore, ObjectStream, Part};
use serde_json::Value;

/// Injects one fault after a number of calls.
pub(crate) struct FaultInjector {
    remaining_calls: AtomicU32,
    kind: Kind,
}

enum Kind {
    Before,
    After,
    Interrupt,
    Slow(Arc<ManualClock>),
}

impl FaultInjector {
    /// Injects no fault.
    pub(crate) fn none() -> Arc<Self> {
        Self::new(Kind::Before, u32::MAX)
    }

    /// After this many calls, one takes effect but never returns.
    pub(crate) fn interrupt_after(calls: u32) -> Arc<Self> {
        Self::new(Kind::Interrupt, calls)
    }

    /// After this many calls, injects a fault of one of the four kinds.
    pub(crate) fn with_kind(kind: usize, calls: u32, clock: &Arc<ManualClock>) -> Arc<Self> {
        let kinds = [Kind::Before, Kind::After, Kind::Interrupt, Kind::Slow(Arc::clone(clock))];
        Self::new(kinds.into_iter().nth(kind).unwrap(), calls)
    }

    fn new(kind: Kind, calls: u32) -> Arc<Self> {
        Arc::new(Self { remaining_calls: AtomicU32::new(calls), kind })
    }

    async fn call<T>(&self, call: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        if self.remaining_calls.load(Ordering::SeqCst) == u32::MAX
            || self.remaining_calls.fetch_sub(1, Ordering::SeqCst) != 0
        {
            return call.await;
        }
        match &self.kind {
            Kind::Before => anyhow::bail!("injected fault before the effect"),
            Kind::After => {
                call.await?;
                anyhow::bail!("injected fault after the effect")
            }
            Kind::Slow(clock) => {
                clock.advance(SignedDuration::from_secs(90));
                call.await
            }
            Kind::Interrupt => {
                call.await?;
                std::future::pending().await
            }
        }
    }
}

/// A port with injected faults.
pub(crate) struct Faulty<P> {
    port: Arc<P>,
    injector: Arc<FaultInjector>,
}

impl<P> Faulty<P> {
    pub(crate) fn new(port: Arc<P>, injector: &Arc<FaultInjector>) -> Self {
        Self { port, injector: Arc::clone(injector) }
    }
}

#[async_trait]
impl<P: Stock> Stock for Faulty<P> {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        self.injector.call(self.port.read(file, skus)).await
    }
    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        self.injector.call(self.port.write(file, changes)).await
    }
}

#[async_trait]
impl<P: Imports> Imports for Faulty<P> {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        self.injector.call(self.port.get(id)).await
    }
    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        self.injector.call(self.port.write(import, read)).await
    }
}

#[async_trait]
impl<P: ResumeQueue> ResumeQueue for Faulty<P> {
    async fn send(&self, message: &Value, delay: Duration) -> anyhow::Result<()> {
        self.injector.call(self.port.send(message, delay)).await
    }
}

#[async_trait]
impl<P: ObjectStore> ObjectStore for Faulty<P> {
    async fn read(&self, key: &str, offset: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        self.injector.call(self.port.read(key, offset, etag)).await
    }
    async fn write(&self, file: Object) -> anyhow::Result<()> {
        self.injector.call(self.port.write(file)).await
    }
    async fn write_if_absent(&self, file: Object) -> anyhow::Result<bool> {
        self.injector.call(self.port.write_if_absent(file)).await
    }
    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.injector.call(self.port.delete(key)).await
    }
    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        self.injector.call(self.port.start_upload(key, content_type)).await
    }
    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.injector.call(self.port.upload_part(upload, number, body)).await
    }
    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()> {
        self.injector.call(self.port.complete_upload(upload, parts)).await
    }
    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        self.injector.call(self.port.abort_upload(upload)).await
    }
    async fn presigned_url(&self, key: &str, time: Duration, name: Option<&str>) -> anyhow::Result<String> {
        self.injector.call(self.port.presigned_url(key, time, name)).await
    }
}
