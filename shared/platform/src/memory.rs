//! The ports, in memory: for tests and simulations of handlers. What went out can be looked at, and what goes
//! wrong can be chosen. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::Event;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Clock;
use crate::host::queue::Visibility;
use crate::host::record::{DeadLetter, DeadLetters};
use crate::objects::{Object, ObjectStore, Part, ObjectStream, MIN_PART_BYTES, MultipartUpload};
use crate::publisher::Publisher;

/// What a mutex guards, also after a test has panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls that fail, counted down.
#[derive(Debug, Default)]
pub struct InjectedFaults(AtomicU32);

impl InjectedFaults {
    /// The next `times` calls fail.
    pub fn fail_next(&self, times: u32) {
        self.0.store(times, Ordering::SeqCst);
    }

    /// Whether this call does.
    ///
    /// # Errors
    /// When it does.
    pub fn check(&self, what: &str) -> anyhow::Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        anyhow::ensure!(left.is_err(), "{what} failed, as it was told to");
        Ok(())
    }
}

/// A bus that keeps what is published.
#[derive(Debug, Default)]
pub struct Bus {
    published: Mutex<Vec<Event>>,
    /// Of `publish`.
    pub failures: InjectedFaults,
}

impl Bus {
    /// All that was published so far, in order.
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

/// A queue that keeps what was put off and what was put away.
#[derive(Debug, Default)]
pub struct Queue {
    visibility_extensions: Mutex<Vec<(String, Duration)>>,
    dead_letters: Mutex<Vec<DeadLetter>>,
    /// Of `put_off`.
    pub visibility_failures: InjectedFaults,
    /// Of `bury`.
    pub dead_letter_failures: InjectedFaults,
}

impl Queue {
    /// Each receipt that was put off, and for how long.
    pub fn visibility_extensions(&self) -> Vec<(String, Duration)> {
        lock(&self.visibility_extensions).clone()
    }

    /// Each dead letter.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        lock(&self.dead_letters).clone()
    }
}

#[async_trait]
impl Visibility for Queue {
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        self.visibility_failures.check("putting off")?;
        lock(&self.visibility_extensions).push((receipt.to_owned(), wait));
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Queue {
    async fn send_to_dlq(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        self.dead_letter_failures.check("putting away")?;
        lock(&self.dead_letters).push(letter.clone());
        Ok(())
    }
}

/// A bucket that keeps its files. Links name the file.
#[derive(Debug, Default)]
pub struct Bucket {
    files: Mutex<BTreeMap<String, Object>>,
    uploads: Mutex<BTreeMap<String, Begun>>,
    ids: AtomicU64,
    /// Of all calls.
    pub failures: InjectedFaults,
}

/// A file that is being written: what it is to be, its media type, and its parts so far.
type Begun = (MultipartUpload, String, BTreeMap<u32, Bytes>);

impl Bucket {
    /// One file.
    pub fn get(&self, key: &str) -> Option<Object> {
        lock(&self.files).get(key).cloned()
    }

    /// The names of all files.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.files).keys().cloned().collect()
    }

    /// How many files are begun, and neither finished nor abandoned.
    pub fn pending_uploads(&self) -> usize {
        lock(&self.uploads).len()
    }
}

/// As S3 has it for a file that was written whole, but for the algorithm.
fn etag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn read(&self, key: &str, from: u64, wanted: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        self.failures.check("reading a file")?;
        let Some(file) = self.get(key) else { return Ok(None) };
        let etag = etag(&file.body);
        if wanted.is_some_and(|wanted| wanted != etag) {
            return Ok(None);
        }
        let start = usize::try_from(from)?;
        anyhow::ensure!(start <= file.body.len(), "the range is not satisfiable");
        let chunks: Vec<_> =
            file.body.slice(start..).chunks(1 << 16).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let size = u64::try_from(file.body.len())?;
        Ok(Some(ObjectStream { size, etag, chunks: Box::pin(futures::stream::iter(chunks)) }))
    }

    async fn write(&self, file: Object) -> anyhow::Result<()> {
        self.failures.check("writing a file")?;
        lock(&self.files).insert(file.key.clone(), file);
        Ok(())
    }

    async fn write_if_absent(&self, file: Object) -> anyhow::Result<bool> {
        self.failures.check("writing a file")?;
        let mut files = lock(&self.files);
        if files.contains_key(&file.key) {
            return Ok(false);
        }
        files.insert(file.key.clone(), file);
        Ok(true)
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.failures.check("removing a file")?;
        lock(&self.files).remove(key);
        Ok(())
    }

    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        self.failures.check("beginning a file")?;
        let id = format!("upload-{}", self.ids.fetch_add(1, Ordering::SeqCst));
        let upload = MultipartUpload { key: key.to_owned(), id: id.clone() };
        lock(&self.uploads).insert(id, (upload.clone(), content_type.to_owned(), BTreeMap::new()));
        Ok(upload)
    }

    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.failures.check("writing a part")?;
        let etag = etag(&body);
        let mut uploads = lock(&self.uploads);
        let (_, _, parts) = uploads.get_mut(&upload.id).context("there is no such upload")?;
        parts.insert(number, body);
        Ok(Part { number, etag })
    }

    async fn complete_upload(&self, upload: &MultipartUpload, wanted: &[Part]) -> anyhow::Result<()> {
        self.failures.check("ending a file")?;
        let Some((_, content_type, parts)) = lock(&self.uploads).remove(&upload.id) else {
            anyhow::ensure!(lock(&self.files).contains_key(&upload.key), "there is no such upload");
            return Ok(());
        };
        let mut body = Vec::new();
        for (index, part) in wanted.iter().enumerate() {
            let bytes = parts.get(&part.number).context("there is no such part")?;
            anyhow::ensure!(etag(bytes) == part.etag, "the part is another one");
            anyhow::ensure!(bytes.len() >= MIN_PART_BYTES || index + 1 == wanted.len(), "a part is too small");
            body.extend_from_slice(bytes);
        }
        let file = Object { key: upload.key.clone(), content_type, body: body.into() };
        lock(&self.files).insert(upload.key.clone(), file);
        Ok(())
    }

    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        self.failures.check("giving a file up")?;
        lock(&self.uploads).remove(&upload.id);
        Ok(())
    }

    async fn presigned_url(&self, key: &str, good_for: Duration, _: Option<&str>) -> anyhow::Result<String> {
        self.failures.check("making a link")?;
        Ok(format!("https://files.example.com/{key}?expires={}", good_for.as_secs()))
    }
}

/// A clock that goes when it is told to. Only its waits are real.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    now: Mutex<Timestamp>,
    ids: AtomicU64,
    chance: f64,
}

impl ManualClock {
    /// One that starts at `now`. Its chance is always 0, so that waits are at their shortest.
    pub fn new(now: Timestamp) -> Self {
        Self { start: now, now: Mutex::new(now), ids: AtomicU64::new(0), chance: 0.0 }
    }

    /// Lets time pass.
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
        tokio::time::sleep(time).await;
    }

    /// One behind the other, as the machine's own are.
    fn new_id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0189_0a5d_ac96_774b_8000_0000_0000_0000 + u128::from(number))
    }

    fn random(&self) -> f64 {
        self.chance
    }
}
