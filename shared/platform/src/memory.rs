//! In-memory implementations of the ports, for tests and simulations of handlers. They record their output
//! and can inject faults.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::Event;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Clock;
use crate::objects::{MIN_PART_BYTES, MultipartUpload, Object, ObjectStore, ObjectStream, Part};
use crate::publisher::Publisher;
use crate::queue::{DeadLetter, DeadLetters, Visibility};
use crate::sync::lock;

/// A countdown of calls that are to fail.
#[derive(Debug, Default)]
pub struct InjectedFaults(AtomicU32);

impl InjectedFaults {
    /// Makes the next `times` calls fail.
    pub fn fail_next(&self, times: u32) {
        self.0.store(times, Ordering::SeqCst);
    }

    /// Counts one call, which is named `what` in the error.
    ///
    /// # Errors
    /// When this call is to fail.
    pub fn check(&self, what: &str) -> anyhow::Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        anyhow::ensure!(left.is_err(), "{what} failed: injected fault");
        Ok(())
    }
}

/// A bus that records the published events.
#[derive(Debug, Default)]
pub struct Bus {
    published: Mutex<Vec<Event>>,
    /// Faults of `publish`.
    pub failures: InjectedFaults,
}

impl Bus {
    /// All events published so far, in order.
    pub fn published(&self) -> Vec<Event> {
        lock(&self.published).clone()
    }
}

#[async_trait]
impl Publisher for Bus {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        self.failures.check("publishing")?;
        lock(&self.published).extend_from_slice(events);
        Ok(())
    }
}

/// A queue that records visibility timeouts and dead-letter messages.
#[derive(Debug, Default)]
pub struct Queue {
    visibility_extensions: Mutex<Vec<(String, Duration)>>,
    dead_letters: Mutex<Vec<DeadLetter>>,
    /// Faults of `extend_visibility_timeout`.
    pub visibility_failures: InjectedFaults,
    /// Faults of `send_to_dlq`.
    pub dead_letter_failures: InjectedFaults,
}

impl Queue {
    /// The receipt handle and the duration of each extended visibility timeout, in order.
    pub fn visibility_extensions(&self) -> Vec<(String, Duration)> {
        lock(&self.visibility_extensions).clone()
    }

    /// All dead-letter messages, in order.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.dead_letters).clone()
    }
}

#[async_trait]
impl Visibility for Queue {
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        self.visibility_failures.check("extending the visibility timeout")?;
        lock(&self.visibility_extensions).push((receipt.to_owned(), wait));
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Queue {
    async fn send_to_dlq(&self, dead_letter: &DeadLetter) -> anyhow::Result<()> {
        self.dead_letter_failures.check("sending to the DLQ")?;
        lock(&self.dead_letters).push(dead_letter.clone());
        Ok(())
    }
}

/// A bucket that keeps its objects in memory. A presigned URL contains the key of the object.
#[derive(Debug)]
pub struct Bucket {
    min_part_bytes: usize,
    objects: Mutex<BTreeMap<String, Object>>,
    uploads: Mutex<BTreeMap<String, PendingUpload>>,
    ids: AtomicU64,
    /// Faults of all calls.
    pub failures: InjectedFaults,
    /// Reads that find no object, as if it was written right afterwards.
    pub missed_reads: InjectedFaults,
}

/// A multipart upload, the media type of its object, and the parts uploaded so far.
type PendingUpload = (MultipartUpload, String, BTreeMap<u32, Bytes>);

impl Default for Bucket {
    fn default() -> Self {
        Self::with_min_part_bytes(MIN_PART_BYTES)
    }
}

impl Bucket {
    /// An empty bucket with this minimum size of a part, except the last one. With a small one, small objects can
    /// have several parts.
    pub fn with_min_part_bytes(min_part_bytes: usize) -> Self {
        Self {
            min_part_bytes,
            objects: Mutex::default(),
            uploads: Mutex::default(),
            ids: AtomicU64::default(),
            failures: InjectedFaults::default(),
            missed_reads: InjectedFaults::default(),
        }
    }

    /// The object with this key.
    pub fn get(&self, key: &str) -> Option<Object> {
        lock(&self.objects).get(key).cloned()
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    /// The number of multipart uploads that are neither completed nor aborted.
    pub fn pending_uploads(&self) -> usize {
        lock(&self.uploads).len()
    }
}

/// A quoted hash of the content, like S3's entity tag of an object uploaded in one piece, but not MD5.
fn etag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(body)[..16]))
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn read(&self, key: &str, from: u64, wanted: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        self.failures.check("reading an object")?;
        if self.missed_reads.check("the read").is_err() {
            return Ok(None);
        }
        let Some(object) = self.get(key) else { return Ok(None) };
        let etag = etag(&object.body);
        if wanted.is_some_and(|wanted| wanted != etag) {
            return Ok(None);
        }
        let start = usize::try_from(from)?;
        anyhow::ensure!(start <= object.body.len(), "the range is not satisfiable");
        let chunks: Vec<_> =
            object.body.slice(start..).chunks(1 << 16).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let size = u64::try_from(object.body.len())?;
        Ok(Some(ObjectStream { size, etag, chunks: Box::pin(futures::stream::iter(chunks)) }))
    }

    async fn write(&self, object: Object) -> anyhow::Result<()> {
        self.failures.check("writing an object")?;
        lock(&self.objects).insert(object.key.clone(), object);
        Ok(())
    }

    async fn write_if_absent(&self, object: Object) -> anyhow::Result<bool> {
        self.failures.check("writing an object")?;
        let mut objects = lock(&self.objects);
        if objects.contains_key(&object.key) {
            return Ok(false);
        }
        objects.insert(object.key.clone(), object);
        Ok(true)
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.failures.check("deleting an object")?;
        lock(&self.objects).remove(key);
        Ok(())
    }

    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        self.failures.check("starting an upload")?;
        let id = format!("upload-{}", self.ids.fetch_add(1, Ordering::SeqCst));
        let upload = MultipartUpload { key: key.to_owned(), id: id.clone() };
        lock(&self.uploads).insert(id, (upload.clone(), content_type.to_owned(), BTreeMap::new()));
        Ok(upload)
    }

    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.failures.check("uploading a part")?;
        let etag = etag(&body);
        let mut uploads = lock(&self.uploads);
        let (_, _, parts) = uploads.get_mut(&upload.id).context("there is no such upload")?;
        parts.insert(number, body);
        Ok(Part { number, etag })
    }

    async fn complete_upload(&self, upload: &MultipartUpload, wanted: &[Part]) -> anyhow::Result<()> {
        self.failures.check("completing an upload")?;
        let Some((_, content_type, parts)) = lock(&self.uploads).remove(&upload.id) else {
            anyhow::ensure!(lock(&self.objects).contains_key(&upload.key), "there is no such upload");
            return Ok(());
        };
        let mut body = Vec::new();
        for (index, part) in wanted.iter().enumerate() {
            let bytes = parts.get(&part.number).context("there is no such part")?;
            anyhow::ensure!(etag(bytes) == part.etag, "the part has another ETag");
            anyhow::ensure!(
                bytes.len() >= self.min_part_bytes || index + 1 == wanted.len(),
                "a part is too small"
            );
            body.extend_from_slice(bytes);
        }
        let object = Object { key: upload.key.clone(), content_type, body: body.into() };
        lock(&self.objects).insert(upload.key.clone(), object);
        Ok(())
    }

    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        self.failures.check("aborting an upload")?;
        lock(&self.uploads).remove(&upload.id);
        Ok(())
    }

    async fn presigned_url(&self, key: &str, valid_for: Duration, _: Option<&str>) -> anyhow::Result<String> {
        self.failures.check("presigning a URL")?;
        Ok(format!("https://files.example.com/{key}?expires={}", valid_for.as_secs()))
    }
}

/// A clock that only advances on demand. Its `sleep` waits in real time.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    now: Mutex<Timestamp>,
    ids: AtomicU64,
    random: f64,
}

impl ManualClock {
    /// A clock that starts at `now`. Its random number is always 0, which gives the shortest delays.
    pub fn new(now: Timestamp) -> Self {
        Self { start: now, now: Mutex::new(now), ids: AtomicU64::new(0), random: 0.0 }
    }

    /// Advances the clock.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = lock(&self.now);
        *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.now)
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from(self.now().duration_since(self.start)).unwrap_or_default()
    }

    async fn sleep(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Ids in ascending order, like those of the system clock.
    fn new_id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0189_0a5d_ac96_774b_8000_0000_0000_0000 + u128::from(number))
    }

    fn random(&self) -> f64 {
        self.random
    }
}

/// A clock over tokio's time, which a test can pause, with random numbers that depend on a seed only.
#[derive(Debug)]
pub struct SeededClock {
    started: tokio::time::Instant,
    random: Mutex<Option<fastrand::Rng>>,
}

impl SeededClock {
    /// A clock that starts at the Unix epoch.
    pub fn new(seed: u64) -> Self {
        let random = Mutex::new(Some(fastrand::Rng::with_seed(seed)));
        Self { started: tokio::time::Instant::now(), random }
    }

    /// A clock whose random number is always 0, which gives no delays.
    pub fn without_jitter() -> Self {
        Self { started: tokio::time::Instant::now(), random: Mutex::new(None) }
    }
}

#[async_trait]
impl Clock for SeededClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn new_id(&self) -> Uuid {
        let bits = lock(&self.random).as_mut().map(|random| random.u128(..));
        Uuid::from_u128(bits.unwrap_or_default())
    }

    fn random(&self) -> f64 {
        lock(&self.random).as_mut().map(fastrand::Rng::f64).unwrap_or_default()
    }
}
