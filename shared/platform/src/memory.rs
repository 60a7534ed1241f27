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
use crate::objects::{File, Objects, Part, Reading, SMALLEST_PART, Upload};
use crate::publisher::Publisher;

/// What a mutex guards, also after a test has panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls that fail, counted down.
#[derive(Debug, Default)]
pub struct Failures(AtomicU32);

impl Failures {
    /// The next `times` calls fail.
    pub fn next(&self, times: u32) {
        self.0.store(times, Ordering::SeqCst);
    }

    /// Whether this call does.
    ///
    /// # Errors
    /// When it does.
    pub fn strike(&self, what: &str) -> anyhow::Result<()> {
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
    pub failures: Failures,
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
        self.failures.strike("publishing")?;
        lock(&self.published).extend_from_slice(events);
        Ok(())
    }
}

/// A queue that keeps what was put off and what was put away.
#[derive(Debug, Default)]
pub struct Queue {
    put_off: Mutex<Vec<(String, Duration)>>,
    letters: Mutex<Vec<DeadLetter>>,
    /// Of `put_off`.
    pub visibility_failures: Failures,
    /// Of `bury`.
    pub burial_failures: Failures,
}

impl Queue {
    /// Each receipt that was put off, and for how long.
    pub fn put_off(&self) -> Vec<(String, Duration)> {
        lock(&self.put_off).clone()
    }

    /// Each dead letter.
    pub fn letters(&self) -> Vec<DeadLetter> {
        lock(&self.letters).clone()
    }
}

#[async_trait]
impl Visibility for Queue {
    async fn put_off(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        self.visibility_failures.strike("putting off")?;
        lock(&self.put_off).push((receipt.to_owned(), wait));
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Queue {
    async fn bury(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        self.burial_failures.strike("putting away")?;
        lock(&self.letters).push(letter.clone());
        Ok(())
    }
}

/// A bucket that keeps its files. Links name the file.
#[derive(Debug, Default)]
pub struct Files {
    files: Mutex<BTreeMap<String, File>>,
    uploads: Mutex<BTreeMap<String, Begun>>,
    ids: AtomicU64,
    /// Of all calls.
    pub failures: Failures,
}

/// A file that is being written: what it is to be, its media type, and its parts so far.
type Begun = (Upload, String, BTreeMap<u32, Bytes>);

impl Files {
    /// One file.
    pub fn get(&self, key: &str) -> Option<File> {
        lock(&self.files).get(key).cloned()
    }

    /// The names of all files.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.files).keys().cloned().collect()
    }

    /// How many files are begun, and neither finished nor abandoned.
    pub fn begun(&self) -> usize {
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
impl Objects for Files {
    async fn read(&self, key: &str, from: u64, wanted: Option<&str>) -> anyhow::Result<Option<Reading>> {
        self.failures.strike("reading a file")?;
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
        Ok(Some(Reading { size, etag, chunks: Box::pin(futures::stream::iter(chunks)) }))
    }

    async fn write(&self, file: File) -> anyhow::Result<()> {
        self.failures.strike("writing a file")?;
        lock(&self.files).insert(file.key.clone(), file);
        Ok(())
    }

    async fn write_new(&self, file: File) -> anyhow::Result<bool> {
        self.failures.strike("writing a file")?;
        let mut files = lock(&self.files);
        if files.contains_key(&file.key) {
            return Ok(false);
        }
        files.insert(file.key.clone(), file);
        Ok(true)
    }

    async fn remove(&self, key: &str) -> anyhow::Result<()> {
        self.failures.strike("removing a file")?;
        lock(&self.files).remove(key);
        Ok(())
    }

    async fn start(&self, key: &str, content_type: &str) -> anyhow::Result<Upload> {
        self.failures.strike("beginning a file")?;
        let id = format!("upload-{}", self.ids.fetch_add(1, Ordering::SeqCst));
        let upload = Upload { key: key.to_owned(), id: id.clone() };
        lock(&self.uploads).insert(id, (upload.clone(), content_type.to_owned(), BTreeMap::new()));
        Ok(upload)
    }

    async fn write_part(&self, upload: &Upload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.failures.strike("writing a part")?;
        let etag = etag(&body);
        let mut uploads = lock(&self.uploads);
        let (_, _, parts) = uploads.get_mut(&upload.id).context("there is no such upload")?;
        parts.insert(number, body);
        Ok(Part { number, etag })
    }

    async fn finish(&self, upload: &Upload, wanted: &[Part]) -> anyhow::Result<()> {
        self.failures.strike("ending a file")?;
        let Some((_, content_type, parts)) = lock(&self.uploads).remove(&upload.id) else {
            anyhow::ensure!(lock(&self.files).contains_key(&upload.key), "there is no such upload");
            return Ok(());
        };
        let mut body = Vec::new();
        for (index, part) in wanted.iter().enumerate() {
            let bytes = parts.get(&part.number).context("there is no such part")?;
            anyhow::ensure!(etag(bytes) == part.etag, "the part is another one");
            anyhow::ensure!(bytes.len() >= SMALLEST_PART || index + 1 == wanted.len(), "a part is too small");
            body.extend_from_slice(bytes);
        }
        let file = File { key: upload.key.clone(), content_type, body: body.into() };
        lock(&self.files).insert(upload.key.clone(), file);
        Ok(())
    }

    async fn abandon(&self, upload: &Upload) -> anyhow::Result<()> {
        self.failures.strike("giving a file up")?;
        lock(&self.uploads).remove(&upload.id);
        Ok(())
    }

    async fn link(&self, key: &str, good_for: Duration, _: Option<&str>) -> anyhow::Result<String> {
        self.failures.strike("making a link")?;
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
    fn fresh_id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0189_0a5d_ac96_774b_8000_0000_0000_0000 + u128::from(number))
    }

    fn chance(&self) -> f64 {
        self.chance
    }
}
