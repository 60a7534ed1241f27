//! A large file is imported in bounded memory. The test has its own process, because it measures the memory
//! of the process.
//!
//! `IMPORT_ROWS=1000000 cargo test -p inventory --test large -- --nocapture` measures a million rows.
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{DeliveryId, Sku};
use futures::stream::unfold;
use inventory::adapters::memory::InMemoryImports;
use inventory::import::ImportStock;
use inventory::import::apply::BATCH_SIZE;
use inventory::import::store::{Change, CurrentState, Stock};
use platform::clock::SystemClock;
use platform::memory::Bucket;
use platform::objects::{MultipartUpload, Object, ObjectStore, ObjectStream, Part};
use platform::{Clock, MessageHandler, lock};
use serde_json::{Value, json};

/// The maximum peak memory of an import, in KiB. The function has 1 GiB.
const MAX_PEAK_KIB: u64 = 96 * 1024;
const HEADER: &str = "sku,name,price,currency,tax_rate,quantity\n";

/// A row of the file; one in 50 is invalid.
fn row(number: u64) -> String {
    let price = if number % 50 == 7 { "free" } else { "12.50" };
    format!("SKU-{number:09},Darjeeling first flush number {number:09},{price},EUR,7,{:02}\n", number % 90)
}

/// A bucket that generates the imported file while it is read, and stores the other objects.
struct GeneratedFile {
    rows: u64,
    files: Bucket,
}

#[async_trait]
impl ObjectStore for GeneratedFile {
    async fn read(&self, key: &str, offset: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        if !key.starts_with("incoming/") {
            return self.files.read(key, offset, etag).await;
        }
        let width = u64::try_from(row(0).len())?;
        let header_len = u64::try_from(HEADER.len())?;
        let size =
            header_len + (0..self.rows).map(|number| u64::try_from(row(number).len()).unwrap()).sum::<u64>();
        assert_eq!(offset, 0, "the file is read in one run");
        assert!(width > 50);
        let rows = self.rows;
        let chunks = unfold(0_u64, move |number| async move {
            let until = (number + 1000).min(rows);
            let mut text = if number == 0 { HEADER.to_owned() } else { String::new() };
            (number..until).for_each(|number| text.push_str(&row(number)));
            (number < rows).then(|| (Ok(Bytes::from(text)), until))
        });
        Ok(Some(ObjectStream { size, etag: "\"endless\"".to_owned(), chunks: Box::pin(chunks) }))
    }
    async fn write(&self, file: Object) -> anyhow::Result<()> {
        self.files.write(file).await
    }
    async fn write_if_absent(&self, file: Object) -> anyhow::Result<bool> {
        self.files.write_if_absent(file).await
    }
    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.files.delete(key).await
    }
    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        self.files.start_upload(key, content_type).await
    }
    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.files.upload_part(upload, number, body).await
    }
    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()> {
        self.files.complete_upload(upload, parts).await
    }
    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        self.files.abort_upload(upload).await
    }
    async fn presigned_url(&self, key: &str, time: Duration, name: Option<&str>) -> anyhow::Result<String> {
        self.files.presigned_url(key, time, name).await
    }
}

/// A store with the latency of DynamoDB, which only counts the writes.
#[derive(Default)]
struct CountingStock(Mutex<HashMap<&'static str, u64>>);

#[async_trait]
impl Stock for CountingStock {
    async fn read(&self, _: &DeliveryId, _: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        tokio::time::sleep(Duration::from_millis(6)).await;
        Ok(BTreeMap::new())
    }
    async fn write(&self, _: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        tokio::time::sleep(Duration::from_millis(15)).await;
        assert!(changes.len() <= BATCH_SIZE, "{}", changes.len());
        let mut counts = lock(&self.0);
        *counts.entry("rows").or_default() += u64::try_from(changes.len()).unwrap();
        *counts.entry("transactions").or_default() += 1;
        Ok(true)
    }
}

/// The peak memory of the process, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_large_file_is_imported_in_bounded_memory() {
    let rows = std::env::var("IMPORT_ROWS").map_or(30_000, |rows| rows.parse().unwrap());
    let files = Arc::new(GeneratedFile { rows, files: Bucket::default() });
    let (imports, stock) = (Arc::new(InMemoryImports::default()), Arc::new(CountingStock::default()));
    let function = ImportStock {
        files: files.clone(),
        imports: imports.clone(),
        stock: stock.clone(),
        resume_queue: imports.clone(),
        clock: Arc::new(SystemClock),
    };
    let message = json!({"detail": {"object": {"key": "incoming/large.csv", "etag": "endless"}}});
    let (start, before) = (SystemClock.elapsed(), peak_kib());
    function.handle_message(message, Duration::from_secs(3600)).await.unwrap();
    let duration = SystemClock.elapsed().saturating_sub(start);
    let counts = lock(&stock.0).clone();
    println!(
        "{rows} rows: {} ms, peak {} KiB, {before} KiB before; {counts:?}",
        duration.as_millis(),
        peak_kib()
    );

    let summary = files.files.get("results/large.csv/endless/summary.json").unwrap();
    let summary: Value = serde_json::from_slice(&summary.body).unwrap();
    let invalid = (0..rows).filter(|number| number % 50 == 7).count();
    assert_eq!((&summary["rows"], &summary["rejected"]), (&rows.into(), &invalid.into()));
    assert!(peak_kib() < MAX_PEAK_KIB, "{} KiB", peak_kib());
}
