//! `export-orders`: writes the file of an export, and resumes from the last checkpoint when it was
//! interrupted.
//!
//! Only the worker that holds the lease of an export writes it, and the lease outlasts the function's
//! timeout. The worker saves a checkpoint after each part and shortly before the timeout: first an object
//! with its state, then the record that refers to it. So an interrupted export always resumes from its last
//! checkpoint, and writes at most the parts after it again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::{Attempt, Event};
use jiff::SignedDuration;
use platform::objects::{MAX_PARTS, MultipartUpload, Object, ObjectStore, Part, read_to_end};
use platform::{Clock, Failure, Labels, MessageHandler};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::encode::Encoder;
use super::store::{ExportQueue, Exports};
use super::{Export, ExportId, State};
use crate::ledger::read::Reader;
use crate::ledger::sale::Sale;
use crate::ledger::store::{LedgerTable, Position, Row};
use platform::optimistic::Versioned;

/// The duration of the lease. It exceeds the function's timeout of 60 seconds, so Lambda has terminated the
/// worker by the time the lease expires.
pub const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(75);
/// The time before the function's timeout at which it stops to save a checkpoint.
pub const CHECKPOINT_MARGIN: Duration = Duration::from_secs(12);
/// The number of attempts without progress after which an export fails.
pub const MAX_ATTEMPTS: u32 = 9;
/// The maximum size of a checkpoint that is read: an unfinished part and an unfinished row group, as text.
const MAX_CHECKPOINT_BYTES: usize = 128 * 1024 * 1024;

/// The amount of data that is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size in bytes at which a part is uploaded.
    pub part_bytes: usize,
    /// The number of lines at which a Parquet row group is written.
    pub row_group_size: usize,
}

impl Default for Limits {
    /// With the 10,000 parts that S3 allows, 8 MiB per part allow files of up to 80 GB. 20,000 lines take
    /// about 8 MB.
    fn default() -> Self {
        Self { part_bytes: 8 * 1024 * 1024, row_group_size: 20_000 }
    }
}

/// Writes exports to the bucket.
#[expect(missing_docs, reason = "the fields say it")]
pub struct ExportOrders {
    pub exports: Arc<dyn Exports>,
    /// The source of the orders.
    pub sales: Arc<dyn LedgerTable<Sale>>,
    /// The bucket of files and checkpoints.
    pub files: Arc<dyn ObjectStore>,
    /// The queue to which an unfinished export is sent again.
    pub queue: Arc<dyn ExportQueue>,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
}

/// The message in the queue.
#[derive(Debug, Deserialize)]
struct Task {
    export_id: ExportId,
}

/// The state of an unfinished export.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    /// The multipart upload, from the first part on.
    upload: Option<MultipartUpload>,
    /// The uploaded parts.
    parts: Vec<Part>,
    /// The position of the next order.
    position: Position,
    /// The number of orders written so far.
    orders: u64,
    /// Whether all parts are uploaded, so that only the upload has to be completed.
    complete: bool,
    /// The encoder with its unwritten data.
    encoder: Encoder,
}

/// The work of this attempt on an export.
struct Work {
    stored: Versioned<Export>,
    attempt: Attempt,
    checkpoint: Checkpoint,
    /// The position and the `complete` flag of the last checkpoint, to detect progress.
    last_checkpoint: (Position, bool),
}

/// The reason why the attempt ended.
enum WorkResult {
    /// The export is complete.
    Done,
    /// The function is about to time out.
    OutOfTime,
}

#[async_trait]
impl MessageHandler for ExportOrders {
    fn labels(&self, message: &Value) -> Labels {
        let id = message.get("export_id").and_then(Value::as_str);
        Labels {
            event_type: Some("export".to_owned()),
            event_id: id.map(|id| id.chars().take(36).collect()),
            ..Labels::default()
        }
    }

    async fn handle_message(&self, message: Value, time: Duration) -> Result<Vec<Event>, Failure> {
        let deadline = self.clock.elapsed().saturating_add(time.saturating_sub(CHECKPOINT_MARGIN));
        let task: Task = serde_json::from_value(message)
            .map_err(|_| Failure::poison("the message cannot be parsed: it must contain an export_id"))?;
        let Some(stored) = self.exports.get(task.export_id).await? else {
            tracing::warn!("the export no longer exists");
            return Ok(Vec::new());
        };
        if stored.value.is_final() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let attempt = Attempt { owner: self.clock.new_id(), now, lease_duration: LEASE_DURATION };
        if let Some(lease) = stored.value.lease.filter(|lease| lease.blocks(&attempt)) {
            return Err(Failure::Leased { until: lease.expires_at });
        }
        if stored.value.attempts >= MAX_ATTEMPTS {
            return self.mark_failed(stored).await;
        }
        let claimed = Export {
            lease: Some(attempt.lease()),
            attempts: stored.value.attempts.saturating_add(1),
            updated_at: now,
            ..stored.value.clone()
        };
        let stored = self.exports.replace(&stored, claimed).await?.ok_or_else(conflict)?;
        self.run(stored, attempt, deadline).await?;
        Ok(Vec::new())
    }
}

fn conflict() -> Failure {
    Failure::retry(anyhow::anyhow!("another worker changed the export at the same time"))
}

impl ExportOrders {
    async fn mark_failed(&self, stored: Versioned<Export>) -> Result<Vec<Event>, Failure> {
        let now = self.clock.now();
        let failed =
            Export { state: State::Failed { at: now }, lease: None, updated_at: now, ..stored.value.clone() };
        self.exports.replace(&stored, failed).await?.ok_or_else(conflict)?;
        Err(Failure::reject(format!("the export made no progress in {MAX_ATTEMPTS} attempts")))
    }

    async fn run(
        &self,
        stored: Versioned<Export>,
        attempt: Attempt,
        deadline: Duration,
    ) -> Result<(), Failure> {
        let checkpoint = match self.load_checkpoint(&stored.value).await {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.release_lease(&stored).await;
                return Err(error.into());
            }
        };
        let last_checkpoint = (checkpoint.position.clone(), checkpoint.complete);
        let mut work = Work { stored, attempt, checkpoint, last_checkpoint };
        let result = self.write_orders(&mut work, deadline).await;
        match result {
            Ok(WorkResult::Done) => Ok(()),
            // The lease is released before the message is sent, so that the next worker can start
            // immediately.
            Ok(WorkResult::OutOfTime) => {
                self.save_checkpoint(&mut work, true).await?;
                self.queue.send(work.stored.value.id).await?;
                tracing::info!(
                    orders = work.checkpoint.orders,
                    "out of time: queued to resume from the checkpoint"
                );
                Ok(())
            }
            Err(error) => {
                self.release_lease(&work.stored).await;
                Err(error.into())
            }
        }
    }

    /// Releases the lease, if possible, so that the next attempt need not wait for its expiry.
    async fn release_lease(&self, stored: &Versioned<Export>) {
        let released = Export { lease: None, ..stored.value.clone() };
        if let Err(error) = self.exports.replace(stored, released).await {
            tracing::warn!(
                error = %format!("{error:#}"),
                "the lease could not be released: the export stays leased until it expires"
            );
        }
    }

    /// Loads the last checkpoint, or creates the initial one.
    async fn load_checkpoint(&self, export: &Export) -> anyhow::Result<Checkpoint> {
        let State::Running { checkpoint, .. } = &export.state else {
            return Ok(Checkpoint {
                upload: None,
                parts: Vec::new(),
                position: Position::at(export.request.from),
                orders: 0,
                complete: false,
                encoder: Encoder::new(export.request.format, self.limits.row_group_size)?,
            });
        };
        let file = self.files.read(checkpoint, 0, None).await?;
        let file = file.with_context(|| format!("the checkpoint {checkpoint} does not exist"))?;
        let json = read_to_end(file, MAX_CHECKPOINT_BYTES).await?.context("the checkpoint is too large")?;
        serde_json::from_slice(&json).map_err(|error| {
            let reason = platform::redact_values(&error.to_string());
            anyhow::anyhow!("the checkpoint {checkpoint} cannot be parsed: {reason}")
        })
    }

    async fn write_orders(&self, work: &mut Work, deadline: Duration) -> anyhow::Result<WorkResult> {
        let request = work.stored.value.request.clone();
        let as_of = work.stored.value.requested_at;
        let position = work.checkpoint.position.clone();
        let until = request.until.min(as_of);
        let mut reader = Reader::from_position(self.sales.as_ref(), request.from, until, position);
        while !work.checkpoint.complete {
            if self.clock.elapsed() >= deadline {
                return Ok(WorkResult::OutOfTime);
            }
            let Some(sale) = reader.next().await? else {
                work.checkpoint.encoder.finish()?;
                return self.complete(work).await;
            };
            work.checkpoint.position = sale.position().after();
            let sale = sale.as_of(as_of);
            if !matches_statuses(&request.statuses, &sale) {
                continue;
            }
            work.checkpoint.encoder.push(&sale)?;
            work.checkpoint.orders = work.checkpoint.orders.saturating_add(1);
            if work.checkpoint.encoder.len() >= self.limits.part_bytes {
                let body = work.checkpoint.encoder.take();
                self.upload_part(work, body).await?;
                self.save_checkpoint(work, false).await?;
            }
        }
        self.complete(work).await
    }

    async fn upload_part(&self, work: &mut Work, body: Bytes) -> anyhow::Result<()> {
        let export = &work.stored.value;
        let upload = match work.checkpoint.upload.take() {
            Some(upload) => upload,
            None => self.files.start_upload(&export.key(), export.request.format.media_type()).await?,
        };
        let number = u32::try_from(work.checkpoint.parts.len())?.saturating_add(1);
        anyhow::ensure!(number <= MAX_PARTS, "the file would have more parts than S3 allows");
        let part = self.files.upload_part(&upload, number, body).await;
        work.checkpoint.upload = Some(upload);
        work.checkpoint.parts.push(part?);
        Ok(())
    }

    /// Uploads the remaining data and completes the file.
    async fn complete(&self, work: &mut Work) -> anyhow::Result<WorkResult> {
        let bytes = work.checkpoint.encoder.written();
        if work.checkpoint.parts.is_empty() {
            let body = work.checkpoint.encoder.take();
            let export = &work.stored.value;
            let content_type = export.request.format.media_type().to_owned();
            self.files.write(Object { key: export.key(), content_type, body }).await?;
        } else {
            if !work.checkpoint.complete {
                let body = work.checkpoint.encoder.take();
                if !body.is_empty() {
                    self.upload_part(work, body).await?;
                }
                // No part can be uploaded after the upload is completed. From here on, only that remains to
                // be done.
                work.checkpoint.complete = true;
                self.save_checkpoint(work, false).await?;
            }
            let upload = work.checkpoint.upload.as_ref().context("there are parts but no upload")?;
            self.files.complete_upload(upload, &work.checkpoint.parts).await?;
        }
        let now = self.clock.now();
        let orders = work.checkpoint.orders;
        let previous = work.stored.value.state.clone();
        let done = Export {
            state: State::Done { orders, bytes, at: now },
            lease: None,
            attempts: 0,
            updated_at: now,
            ..work.stored.value.clone()
        };
        self.replace(work, done).await?;
        tracing::info!(orders, bytes, "exported");
        if let State::Running { checkpoint, .. } = previous {
            self.delete_checkpoint(&checkpoint).await;
        }
        Ok(WorkResult::Done)
    }

    /// Saves a checkpoint. `releases_lease` lets another worker resume from it; otherwise the lease is
    /// renewed.
    async fn save_checkpoint(&self, work: &mut Work, releases_lease: bool) -> anyhow::Result<()> {
        let export = &work.stored.value;
        let now = self.clock.now();
        // Every checkpoint has a new key, so the one that the record refers to stays intact until the record
        // changes.
        let key = format!("checkpoints/{}/{}", export.id, self.clock.new_id());
        let body = serde_json::to_vec(&work.checkpoint)?.into();
        let content_type = "application/json".to_owned();
        self.files.write(Object { key: key.clone(), content_type, body }).await?;
        let previous = export.state.clone();
        let progress = (work.checkpoint.position.clone(), work.checkpoint.complete);
        let has_progressed = progress != std::mem::replace(&mut work.last_checkpoint, progress.clone());
        work.attempt.now = now;
        let next = Export {
            state: State::Running { checkpoint: key, orders: work.checkpoint.orders },
            lease: (!releases_lease).then(|| work.attempt.lease()),
            attempts: if has_progressed { 0 } else { export.attempts },
            updated_at: now,
            ..export.clone()
        };
        self.replace(work, next).await?;
        if let State::Running { checkpoint, .. } = previous {
            self.delete_checkpoint(&checkpoint).await;
        }
        Ok(())
    }

    async fn replace(&self, work: &mut Work, export: Export) -> anyhow::Result<()> {
        let replaced = self.exports.replace(&work.stored, export).await?;
        work.stored = replaced.context("the lease expired and another worker changed the export")?;
        Ok(())
    }

    /// Deletes a checkpoint that is no longer needed. If that fails, the lifecycle rule of the bucket deletes
    /// it.
    async fn delete_checkpoint(&self, checkpoint: &str) {
        if let Err(error) = self.files.delete(checkpoint).await {
            tracing::warn!(
                error = %format!("{error:#}"),
                "the old checkpoint could not be deleted: the lifecycle rule of the bucket will delete it"
            );
        }
    }
}

fn matches_statuses(statuses: &BTreeSet<domain::order::OrderStatus>, sale: &Sale) -> bool {
    statuses.is_empty() || statuses.contains(&sale.status())
}
