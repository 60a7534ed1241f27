//! `export-orders`: writes the file of an export, and goes on where it was cut off.
//!
//! One works on an export at a time: whoever holds its lease, which outlasts the function. What they have in hand is put
//! down in a checkpoint after each part, and shortly before the function's time is over: a file of its own, and then the
//! record that points to it. So whatever is cut off, and wherever, somebody goes on from the last checkpoint, and writes
//! the same parts once more at most.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::{Attempt, Event};
use jiff::SignedDuration;
use platform::host::record::Labels;
use platform::objects::{MAX_PARTS, MultipartUpload, Object, ObjectStore, Part, read_to_end};
use platform::{Clock, Failure, MessageHandler};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::encode::Encoder;
use super::store::{ExportQueue, Exports};
use super::{Export, ExportId, State};
use crate::ledger::read::Reader;
use crate::ledger::sale::Sale;
use crate::ledger::store::{Book, Position, Row, Versioned};

/// How long nobody else may work on an export. Longer than the function's 60 seconds: Lambda has ended it by then.
pub const LEASE: SignedDuration = SignedDuration::from_secs(75);
/// Left of the function's time when it stops, to put down where it is.
pub const RESERVE: Duration = Duration::from_secs(12);
/// How often somebody begins to work on an export that does not come on, before it is given up.
pub const MOST_ATTEMPTS: u32 = 9;
/// The largest checkpoint that is read: what is in hand of a part and of a row group, as text.
const LARGEST_CHECKPOINT: usize = 128 * 1024 * 1024;

/// What is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The bytes from which on a part is written.
    pub part: usize,
    /// The lines from which on a Parquet row group is written.
    pub group_rows: usize,
}

impl Default for Limits {
    /// 8 MiB make files of up to 80 GB out of the 10,000 parts that S3 takes. 20,000 lines take some 8 MB.
    fn default() -> Self {
        Self { part: 8 * 1024 * 1024, group_rows: 20_000 }
    }
}

/// Writes exports.
pub struct ExportOrders {
    /// The exports.
    pub exports: Arc<dyn Exports>,
    /// Where the orders come from.
    pub sales: Arc<dyn Book<Sale>>,
    /// Where the files go.
    pub files: Arc<dyn ObjectStore>,
    /// Has the rest done.
    pub queue: Arc<dyn ExportQueue>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// What is kept in memory.
    pub limits: Limits,
}

/// What the queue brings.
#[derive(Debug, Deserialize)]
struct Task {
    export_id: ExportId,
}

/// Where to go on.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    /// The multipart upload, once there is a first part.
    upload: Option<MultipartUpload>,
    /// The parts that the bucket has.
    parts: Vec<Part>,
    /// The orders from here on are still to be written.
    position: Position,
    /// Orders so far.
    orders: u64,
    /// Whether all parts are there, and only have to be made into one file.
    complete: bool,
    /// What is in hand.
    encoder: Encoder,
}

/// An export that this attempt works on.
struct Work {
    stored: Versioned<Export>,
    attempt: Attempt,
    checkpoint: Checkpoint,
    /// How far it was when that was last put down.
    put_down_at: (Position, bool),
}

/// Why work stopped.
enum Stopped {
    /// It is done.
    Done,
    /// The time is over.
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
        let deadline = self.clock.elapsed().saturating_add(time.saturating_sub(RESERVE));
        let task: Task = serde_json::from_value(message)
            .map_err(|_| Failure::poison("the message is not understood: it has to name an export_id"))?;
        let Some(stored) = self.exports.get(task.export_id).await? else {
            tracing::warn!("there is no such export any more");
            return Ok(Vec::new());
        };
        if stored.value.is_final() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let attempt = Attempt { owner: self.clock.new_id(), now, lease_duration: LEASE };
        if let Some(lease) = stored.value.lease.filter(|lease| lease.blocks(&attempt)) {
            return Err(Failure::Leased { until: lease.expires_at });
        }
        if stored.value.attempts >= MOST_ATTEMPTS {
            return self.give_up(stored).await;
        }
        let claimed = Export {
            lease: Some(attempt.lease()),
            attempts: stored.value.attempts.saturating_add(1),
            moved_at: now,
            ..stored.value.clone()
        };
        let stored = self.exports.replace(&stored, claimed).await?.ok_or_else(taken)?;
        self.work(stored, attempt, deadline).await?;
        Ok(Vec::new())
    }
}

fn taken() -> Failure {
    Failure::retry(anyhow::anyhow!("somebody else was faster with this export"))
}

impl ExportOrders {
    async fn give_up(&self, stored: Versioned<Export>) -> Result<Vec<Event>, Failure> {
        let now = self.clock.now();
        let failed =
            Export { state: State::Failed { at: now }, lease: None, moved_at: now, ..stored.value.clone() };
        self.exports.replace(&stored, failed).await?.ok_or_else(taken)?;
        Err(Failure::reject(format!("the export did not come on in {MOST_ATTEMPTS} attempts")))
    }

    async fn work(
        &self,
        stored: Versioned<Export>,
        attempt: Attempt,
        deadline: Duration,
    ) -> Result<(), Failure> {
        let checkpoint = match self.begin(&stored.value).await {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.let_go(&stored).await;
                return Err(error.into());
            }
        };
        let put_down_at = (checkpoint.position.clone(), checkpoint.complete);
        let mut work = Work { stored, attempt, checkpoint, put_down_at };
        let written = self.write(&mut work, deadline).await;
        match written {
            Ok(Stopped::Done) => Ok(()),
            // The record is let go before the message is sent: whoever gets it can begin at once.
            Ok(Stopped::OutOfTime) => {
                self.put_down(&mut work, true).await?;
                self.queue.send(work.stored.value.id).await?;
                tracing::info!(orders = work.checkpoint.orders, "to be gone on with");
                Ok(())
            }
            Err(error) => {
                self.let_go(&work.stored).await;
                Err(error.into())
            }
        }
    }

    /// Lets somebody else try at once, if that can still be written.
    async fn let_go(&self, stored: &Versioned<Export>) {
        let free = Export { lease: None, ..stored.value.clone() };
        if let Err(error) = self.exports.replace(stored, free).await {
            tracing::warn!(error = %format!("{error:#}"), "the export stays taken until its lease ends");
        }
    }

    /// From the last checkpoint, or from the beginning.
    async fn begin(&self, export: &Export) -> anyhow::Result<Checkpoint> {
        let State::Running { checkpoint, .. } = &export.state else {
            return Ok(Checkpoint {
                upload: None,
                parts: Vec::new(),
                position: Position::at(export.wanted.from),
                orders: 0,
                complete: false,
                encoder: Encoder::new(export.wanted.format, self.limits.group_rows)?,
            });
        };
        let file = self.files.read(checkpoint, 0, None).await?;
        let file = file.with_context(|| format!("the checkpoint {checkpoint} is not there"))?;
        let whole = read_to_end(file, LARGEST_CHECKPOINT).await?.context("the checkpoint is too large")?;
        serde_json::from_slice(&whole).map_err(|error| {
            let why = platform::telemetry::redact_values(&error.to_string());
            anyhow::anyhow!("the checkpoint {checkpoint} is not understood: {why}")
        })
    }

    async fn write(&self, work: &mut Work, deadline: Duration) -> anyhow::Result<Stopped> {
        let wanted = work.stored.value.wanted.clone();
        let as_of = work.stored.value.requested_at;
        let position = work.checkpoint.position.clone();
        let until = wanted.until.min(as_of);
        let mut reader = Reader::from_position(self.sales.as_ref(), wanted.from, until, position);
        while !work.checkpoint.complete {
            if self.clock.elapsed() >= deadline {
                return Ok(Stopped::OutOfTime);
            }
            let Some(sale) = reader.next().await? else {
                work.checkpoint.encoder.finish()?;
                return self.end(work).await;
            };
            work.checkpoint.position = sale.position().behind();
            let sale = sale.as_of(as_of);
            if !is_wanted(&wanted.statuses, &sale) {
                continue;
            }
            work.checkpoint.encoder.push(&sale)?;
            work.checkpoint.orders = work.checkpoint.orders.saturating_add(1);
            if work.checkpoint.encoder.len() >= self.limits.part {
                let body = work.checkpoint.encoder.take();
                self.write_part(work, body).await?;
                self.put_down(work, false).await?;
            }
        }
        self.end(work).await
    }

    async fn write_part(&self, work: &mut Work, body: Bytes) -> anyhow::Result<()> {
        let export = &work.stored.value;
        let upload = match work.checkpoint.upload.take() {
            Some(upload) => upload,
            None => self.files.start_upload(&export.key(), export.wanted.format.media_type()).await?,
        };
        let number = u32::try_from(work.checkpoint.parts.len())?.saturating_add(1);
        anyhow::ensure!(number <= MAX_PARTS, "the file would have more parts than S3 takes");
        let part = self.files.upload_part(&upload, number, body).await;
        work.checkpoint.upload = Some(upload);
        work.checkpoint.parts.push(part?);
        Ok(())
    }

    /// Writes what is left, and makes the file of it.
    async fn end(&self, work: &mut Work) -> anyhow::Result<Stopped> {
        let bytes = work.checkpoint.encoder.written();
        if work.checkpoint.parts.is_empty() {
            let body = work.checkpoint.encoder.take();
            let export = &work.stored.value;
            let content_type = export.wanted.format.media_type().to_owned();
            self.files.write(Object { key: export.key(), content_type, body }).await?;
        } else {
            if !work.checkpoint.complete {
                let body = work.checkpoint.encoder.take();
                if !body.is_empty() {
                    self.write_part(work, body).await?;
                }
                // No part can be written any more once the file is made: from here on there is only that to do.
                work.checkpoint.complete = true;
                self.put_down(work, false).await?;
            }
            let upload = work.checkpoint.upload.as_ref().context("parts without an upload")?;
            self.files.complete_upload(upload, &work.checkpoint.parts).await?;
        }
        let now = self.clock.now();
        let orders = work.checkpoint.orders;
        let before = work.stored.value.state.clone();
        let done = Export {
            state: State::Done { orders, bytes, at: now },
            lease: None,
            attempts: 0,
            moved_at: now,
            ..work.stored.value.clone()
        };
        self.replace(work, done).await?;
        tracing::info!(orders, bytes, "exported");
        if let State::Running { checkpoint, .. } = before {
            self.forget(&checkpoint).await;
        }
        Ok(Stopped::Done)
    }

    /// Puts down where to go on: by whoever comes, where the export is `let_go`; else by this attempt, for another
    /// while.
    async fn put_down(&self, work: &mut Work, let_go: bool) -> anyhow::Result<()> {
        let export = &work.stored.value;
        let now = self.clock.now();
        // A name that nobody else writes: what the record points to stays as it was until it points elsewhere.
        let key = format!("checkpoints/{}/{}", export.id, self.clock.new_id());
        let body = serde_json::to_vec(&work.checkpoint)?.into();
        let content_type = "application/json".to_owned();
        self.files.write(Object { key: key.clone(), content_type, body }).await?;
        let before = export.state.clone();
        let reached = (work.checkpoint.position.clone(), work.checkpoint.complete);
        let came_on = reached != std::mem::replace(&mut work.put_down_at, reached.clone());
        work.attempt.now = now;
        let next = Export {
            state: State::Running { checkpoint: key, orders: work.checkpoint.orders },
            lease: (!let_go).then(|| work.attempt.lease()),
            attempts: if came_on { 0 } else { export.attempts },
            moved_at: now,
            ..export.clone()
        };
        self.replace(work, next).await?;
        if let State::Running { checkpoint, .. } = before {
            self.forget(&checkpoint).await;
        }
        Ok(())
    }

    async fn replace(&self, work: &mut Work, export: Export) -> anyhow::Result<()> {
        let replaced = self.exports.replace(&work.stored, export).await?;
        work.stored = replaced.context("the lease is over, and somebody else works on this export")?;
        Ok(())
    }

    /// Removes a checkpoint that nothing points to. The bucket's lifecycle does so, too.
    async fn forget(&self, checkpoint: &str) {
        if let Err(error) = self.files.delete(checkpoint).await {
            tracing::warn!(error = %format!("{error:#}"), "an old checkpoint stays for a while");
        }
    }
}

fn is_wanted(statuses: &BTreeSet<domain::order::OrderStatus>, sale: &Sale) -> bool {
    statuses.is_empty() || statuses.contains(&sale.status())
}
