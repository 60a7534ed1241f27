//! One run of an import: resumes from the checkpoint, and continues until the import is complete or the
//! function's time is up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Attempt, DeliveryId, Event};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use jiff::SignedDuration;
use platform::objects::{MIN_PART_BYTES, ObjectStore};
use platform::{Clock, Failure, Labels, MessageHandler};
use serde_json::Value;

use super::apply::Applier;
use super::batches::{BatchReader, ReadResult, Source};
use super::progress::{Ending, Import, Progress, Stage};
use super::results::{self, RejectedRows, WORK_PREFIX};
use super::store::{Imports, ResumeQueue, Stock};
use super::upload::UploadedFile;

/// The number of batches that are applied concurrently.
const CONCURRENT_BATCHES: usize = 16;
/// The interval between checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);
/// The part of the function's time that is reserved for writing the last checkpoint.
const TIME_RESERVE: Duration = Duration::from_secs(15);
/// How much longer the lease lasts than the function's time.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// The delay of the next run after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Imports an uploaded file.
pub struct ImportStock {
    /// The bucket with the file and the results.
    pub files: Arc<dyn ObjectStore>,
    /// The store of imports.
    pub imports: Arc<dyn Imports>,
    /// The store of products and deduplication markers.
    pub stock: Arc<dyn Stock>,
    /// The queue that resumes the import in another run.
    pub resume_queue: Arc<dyn ResumeQueue>,
    /// Supplies the time, random numbers and new ids.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl MessageHandler for ImportStock {
    fn labels(&self, message: &Value) -> Labels {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Labels {
            event_type: text("/detail-type"),
            event_id: text("/id"),
            correlation_id: UploadedFile::from_message(message).ok().map(|file| file.import_id()),
            time: text("/time").and_then(|time| time.parse().ok()),
            ..Labels::default()
        }
    }

    async fn handle_message(&self, message: Value, time: Duration) -> Result<Vec<Event>, Failure> {
        let file = UploadedFile::from_message(&message)?;
        if file.is_folder() {
            return Ok(Vec::new());
        }
        let deadline = self.clock.elapsed().saturating_add(time.saturating_sub(TIME_RESERVE.min(time / 4)));
        let Some(mut import) = self.acquire_lease(&file, time).await? else { return Ok(Vec::new()) };
        let before = import.progress.clone();
        let mut rejected = RejectedRows::default();
        let result = self.process(&file, &mut import, &mut rejected, deadline).await;
        // The checkpoint is written even after a failure, to keep the progress made before it.
        import.lease = import.lease.released(self.clock.now());
        let chunks = match import.progress.stage {
            Stage::Done(_) => std::mem::take(&mut import.progress.rejected_chunks),
            _ => Vec::new(),
        };
        self.save_checkpoint(&mut import, &mut rejected).await?;
        let progress = &import.progress;
        if let Stage::Done(ending) = &progress.stage {
            let (status, counts) = (results::status(ending, &progress.counts), &progress.counts);
            tracing::info!(
                file = import.file,
                status,
                rows = counts.rows,
                applied = counts.applied,
                repeated = counts.repeated,
                rejected = counts.rejected,
                pieces = counts.pieces,
                "import complete"
            );
            for chunk in chunks {
                if let Err(error) = self.files.delete(&chunk.key).await {
                    tracing::warn!(
                        error = %format!("{error:#}"),
                        key = chunk.key,
                        "failed to delete a chunk: the lifecycle rule of the bucket will delete it"
                    );
                }
            }
            return Ok(Vec::new());
        }
        // A message can be received only a few times, but an import may take more runs. A run that made
        // progress sends a new message; one that did not fails, and becomes a dead-letter message after a few
        // retries.
        let failure = result.err();
        if *progress == before {
            return Err(failure
                .unwrap_or_else(|| anyhow::anyhow!("the time limit was reached before any row was processed"))
                .into());
        }
        if let Some(error) = &failure {
            tracing::warn!(error = %format!("{error:#}"), "the run failed; the import will resume");
        }
        let delay = if failure.is_some() { RETRY_DELAY } else { Duration::ZERO };
        self.resume_queue.send(&message, delay).await?;
        tracing::info!(
            file = import.file,
            line = progress.position.line,
            "the import will resume in another run"
        );
        Ok(Vec::new())
    }
}

impl ImportStock {
    /// Acquires the lease of the import. Returns `None` if the import is complete.
    async fn acquire_lease(&self, file: &UploadedFile, time: Duration) -> Result<Option<Import>, Failure> {
        let now = self.clock.now();
        let lease_duration =
            SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX).saturating_add(LEASE_MARGIN);
        let attempt = Attempt { owner: self.clock.new_id(), now, lease_duration };
        let id = file.import_id();
        let stored = self.imports.get(&id).await?;
        let version = stored.as_ref().map(|import| import.version);
        let import = match stored {
            Some(Import { progress: Progress { stage: Stage::Done(_), .. }, .. }) => {
                tracing::info!(file = file.key, "the file has been imported already");
                return Ok(None);
            }
            Some(import) if import.lease.blocks(&attempt) => {
                return Err(Failure::Leased { until: import.lease.expires_at });
            }
            Some(import) => {
                Import { lease: attempt.lease(), version: import.version.saturating_add(1), ..import }
            }
            None => Import {
                id,
                file: file.key.clone(),
                etag: file.etag.clone(),
                version: 1,
                lease: attempt.lease(),
                started_at: now,
                progress: Progress::new(),
            },
        };
        if self.imports.write(&import, version).await? {
            return Ok(Some(import));
        }
        Err(Failure::Leased { until: now })
    }

    /// Writes the rejected rows, and then the checkpoint.
    async fn save_checkpoint(&self, import: &mut Import, rejected: &mut RejectedRows) -> anyhow::Result<()> {
        let version = import.version;
        let key = format!("{WORK_PREFIX}{}/{}-{version}.csv", import.id, import.lease.owner);
        if let Some(chunk) = rejected.flush(self.files.as_ref(), key).await? {
            import.progress.rejected_chunks.push(chunk);
        }
        import.version = version.saturating_add(1);
        let written = self.imports.write(import, Some(version)).await?;
        anyhow::ensure!(written, "another run has taken over the import");
        Ok(())
    }

    async fn process(
        &self,
        file: &UploadedFile,
        import: &mut Import,
        rejected: &mut RejectedRows,
        deadline: Duration,
    ) -> anyhow::Result<()> {
        let is_past_deadline = || self.clock.elapsed() >= deadline;
        if import.progress.stage == Stage::Reading {
            let Some(ending) = self.read_file(file, import, rejected, &is_past_deadline).await? else {
                return Ok(());
            };
            import.progress.stage = Stage::Reporting { ending, upload: None };
        }
        if rejected.size() > 0 {
            self.save_checkpoint(import, rejected).await?;
        }
        results::write(self.files.as_ref(), import, &is_past_deadline, self.clock.now()).await
    }

    /// Continues reading the file. Returns `None` if the deadline has passed.
    async fn read_file(
        &self,
        file: &UploadedFile,
        import: &mut Import,
        rejected: &mut RejectedRows,
        is_past_deadline: &(dyn Fn() -> bool + Sync),
    ) -> anyhow::Result<Option<Ending>> {
        let offset = import.progress.position.offset;
        if import.progress.size.is_some_and(|size| size > 0 && offset >= size) {
            return Ok(Some(Ending::Read));
        }
        let etag = format!("\"{}\"", file.etag);
        let Some(stream) = self.files.read(&file.key, offset, Some(&etag)).await? else {
            return Ok(Some(Ending::Gone));
        };
        import.progress.size = Some(stream.size);
        let mut source = Source::new(stream.chunks);
        if import.progress.header.is_none() {
            match source.read_header().await? {
                Ok((header, position)) => {
                    import.progress.header = Some(header);
                    import.progress.position = position;
                }
                Err((record, error)) => {
                    // The whole file is rejected, and `rejected.csv` shows the first line.
                    rejected.add(None, true, &record, &error);
                    let column =
                        if error.column.is_empty() { String::new() } else { format!("{}: ", error.column) };
                    return Ok(Some(Ending::Refused(format!("{column}{}", error.reason))));
                }
            }
        }
        let Some(header) = import.progress.header.clone() else {
            anyhow::bail!("the header has not been read")
        };
        let mut reader = BatchReader::new(source, header, import.progress.position);
        self.apply_rows(file, import, rejected, &mut reader, is_past_deadline).await
    }

    /// Applies batches concurrently and records their outcomes in order.
    async fn apply_rows(
        &self,
        file: &UploadedFile,
        import: &mut Import,
        rejected: &mut RejectedRows,
        reader: &mut BatchReader,
        is_past_deadline: &(dyn Fn() -> bool + Sync),
    ) -> anyhow::Result<Option<Ending>> {
        let delivery: DeliveryId = file.delivery_id().parse()?;
        let (stock, clock) = (self.stock.as_ref(), self.clock.as_ref());
        let applier = Applier { stock, clock, delivery: &delivery, file: &file.key };
        let mut in_flight = FuturesOrdered::new();
        let mut end = None;
        let mut last_checkpoint = self.clock.elapsed();
        loop {
            while end.is_none() && in_flight.len() < CONCURRENT_BATCHES {
                match reader.next_batch(is_past_deadline).await? {
                    ReadResult::Batch(batch) => in_flight.push_back(batch.apply(&applier)),
                    ReadResult::DeadlinePassed => end = Some(None),
                    ReadResult::End => end = Some(Some(Ending::Read)),
                    ReadResult::RowTooLong { line } => {
                        end = Some(Some(Ending::Refused(format!(
                            "line {line} is too long, and the rest of the file was not read: check the \
                             line breaks"
                        ))));
                    }
                }
            }
            let Some(batch) = in_flight.next().await else { break };
            batch?.record(&mut import.progress, reader, rejected);
            let is_due = self.clock.elapsed().saturating_sub(last_checkpoint) >= CHECKPOINT_INTERVAL;
            if is_due || rejected.size() >= MIN_PART_BYTES {
                self.save_checkpoint(import, rejected).await?;
                last_checkpoint = self.clock.elapsed();
            }
        }
        Ok(end.flatten())
    }
}
