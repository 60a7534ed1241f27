//! One run of an import: from where the last one was, until the file is read or the function's time is up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Attempt, DeliveryId, Event};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use jiff::SignedDuration;
use platform::host::record::Labels;
use platform::objects::{MIN_PART_BYTES, ObjectStore};
use platform::{Clock, Failure, MessageHandler};
use serde_json::Value;

use super::apply::{Applier, Stock};
use super::feed::{Fed, Feed, Source};
use super::notice::Dropped;
use super::progress::{Ending, GoOn, Import, Imports, Progress, Stage};
use super::results::{self, Rejected, WORK};

/// How many batches are written at the same time.
const IN_FLIGHT: usize = 16;
/// How often it is noted down how far the file is read.
const NOTED_EVERY: Duration = Duration::from_secs(5);
/// Left of the function's time to write down how far it came.
const RESERVE: Duration = Duration::from_secs(15);
/// How much longer than the function's time the lease is.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// How long the next run is put off when this one failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Counts a file in.
pub struct ImportStock {
    /// Where the file is, and the results go.
    pub files: Arc<dyn ObjectStore>,
    /// How far each import is.
    pub imports: Arc<dyn Imports>,
    /// What rows are applied to.
    pub stock: Arc<dyn Stock>,
    /// Has the function called again.
    pub go_on: Arc<dyn GoOn>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl MessageHandler for ImportStock {
    fn labels(&self, message: &Value) -> Labels {
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Labels {
            event_type: text("/detail-type"),
            event_id: text("/id"),
            order_id: None,
            correlation_id: Dropped::read(message).ok().map(|dropped| dropped.import_id()),
        }
    }

    async fn handle_message(&self, message: Value, time: Duration) -> Result<Vec<Event>, Failure> {
        let dropped = Dropped::read(&message)?;
        if dropped.is_folder() {
            return Ok(Vec::new());
        }
        let until = self.clock.elapsed().saturating_add(time.saturating_sub(RESERVE.min(time / 4)));
        let Some(mut import) = self.take_on(&dropped, time).await? else { return Ok(Vec::new()) };
        let before = import.progress.clone();
        let mut rejected = Rejected::default();
        let worked = self.work(&dropped, &mut import, &mut rejected, until).await;
        // What was done before something failed is noted down all the same.
        import.lease = import.lease.released(self.clock.now());
        let pieces = match import.progress.stage {
            Stage::Done(_) => std::mem::take(&mut import.progress.pieces),
            _ => Vec::new(),
        };
        self.note(&mut import, &mut rejected).await?;
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
                "a file is imported"
            );
            for piece in pieces {
                if let Err(error) = self.files.delete(&piece.key).await {
                    tracing::warn!(error = %format!("{error:#}"), key = piece.key, "left to the bucket's lifecycle");
                }
            }
            return Ok(Vec::new());
        }
        // A message counts its attempts, and an import may take more runs than those: each that came further sends
        // another message. One that did not is tried again a few times, and is a dead letter then.
        let failed = worked.err();
        if *progress == before {
            return Err(failed
                .unwrap_or_else(|| anyhow::anyhow!("not one row could be dealt with in time"))
                .into());
        }
        if let Some(error) = &failed {
            tracing::warn!(error = %format!("{error:#}"), "the import goes on in another run");
        }
        let after = if failed.is_some() { AFTER_FAILURE } else { Duration::ZERO };
        self.go_on.go_on(&message, after).await?;
        tracing::info!(
            file = import.file,
            line = progress.position.line,
            "the import goes on in another run"
        );
        Ok(Vec::new())
    }
}

impl ImportStock {
    /// Takes the import's lease. `None` where it is done.
    async fn take_on(&self, dropped: &Dropped, time: Duration) -> Result<Option<Import>, Failure> {
        let now = self.clock.now();
        let lease_duration =
            SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX).saturating_add(LEASE_MARGIN);
        let attempt = Attempt { owner: self.clock.new_id(), now, lease_duration };
        let id = dropped.import_id();
        let read = self.imports.get(&id).await?;
        let version = read.as_ref().map(|import| import.version);
        let import = match read {
            Some(Import { progress: Progress { stage: Stage::Done(_), .. }, .. }) => {
                tracing::info!(file = dropped.key, "the file was imported before");
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
                file: dropped.key.clone(),
                etag: dropped.etag.clone(),
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

    /// Writes down how far the import is, after what was rejected so far.
    async fn note(&self, import: &mut Import, rejected: &mut Rejected) -> anyhow::Result<()> {
        let version = import.version;
        let key = format!("{WORK}{}/{}-{version}.csv", import.id, import.lease.owner);
        if let Some(piece) = rejected.write_away(self.files.as_ref(), key).await? {
            import.progress.pieces.push(piece);
        }
        import.version = version.saturating_add(1);
        let written = self.imports.write(import, Some(version)).await?;
        anyhow::ensure!(written, "somebody else has taken the import over");
        Ok(())
    }

    async fn work(
        &self,
        dropped: &Dropped,
        import: &mut Import,
        rejected: &mut Rejected,
        until: Duration,
    ) -> anyhow::Result<()> {
        let late = || self.clock.elapsed() >= until;
        if import.progress.stage == Stage::Reading {
            let Some(ending) = self.read(dropped, import, rejected, &late).await? else { return Ok(()) };
            import.progress.stage = Stage::Reporting { ending, upload: None };
        }
        if rejected.size() > 0 {
            self.note(import, rejected).await?;
        }
        results::write(self.files.as_ref(), import, &late, self.clock.now()).await
    }

    /// Reads on in the file. `None` where it is late.
    async fn read(
        &self,
        dropped: &Dropped,
        import: &mut Import,
        rejected: &mut Rejected,
        late: &(dyn Fn() -> bool + Sync),
    ) -> anyhow::Result<Option<Ending>> {
        let from = import.progress.position.offset;
        if import.progress.size.is_some_and(|size| size > 0 && from >= size) {
            return Ok(Some(Ending::Read));
        }
        let etag = format!("\"{}\"", dropped.etag);
        let Some(reading) = self.files.read(&dropped.key, from, Some(&etag)).await? else {
            return Ok(Some(Ending::Gone));
        };
        import.progress.size = Some(reading.size);
        let mut source = Source::new(reading.chunks);
        if import.progress.header.is_none() {
            match source.header().await? {
                Ok((header, position)) => {
                    import.progress.header = Some(header);
                    import.progress.position = position;
                }
                Err((record, fault)) => {
                    // The file as a whole is at fault, and this line shows it.
                    rejected.add(None, true, &record, &fault);
                    let column =
                        if fault.column.is_empty() { String::new() } else { format!("{}: ", fault.column) };
                    return Ok(Some(Ending::Refused(format!("{column}{}", fault.reason))));
                }
            }
        }
        let Some(header) = import.progress.header.clone() else { anyhow::bail!("no header") };
        let mut feed = Feed::new(source, header, import.progress.position);
        self.rows(dropped, import, rejected, &mut feed, late).await
    }

    /// Applies rows, many at the same time, and takes note of them in their order.
    async fn rows(
        &self,
        dropped: &Dropped,
        import: &mut Import,
        rejected: &mut Rejected,
        feed: &mut Feed,
        late: &(dyn Fn() -> bool + Sync),
    ) -> anyhow::Result<Option<Ending>> {
        let delivery: DeliveryId = dropped.delivery().parse()?;
        let (stock, clock) = (self.stock.as_ref(), self.clock.as_ref());
        let applier = Applier { stock, clock, delivery: &delivery, file: &dropped.key };
        let mut in_flight = FuturesOrdered::new();
        let mut end = None;
        let mut noted_at = self.clock.elapsed();
        loop {
            while end.is_none() && in_flight.len() < IN_FLIGHT {
                match feed.batch(late).await? {
                    Fed::Batch(batch) => in_flight.push_back(batch.apply(&applier)),
                    Fed::Late => end = Some(None),
                    Fed::End => end = Some(Some(Ending::Read)),
                    Fed::Hopeless { line } => {
                        end = Some(Some(Ending::Refused(format!(
                            "the row on line {line} goes on and on, and nothing from there on was read: is a quotation mark not closed?"
                        ))));
                    }
                }
            }
            let Some(batch) = in_flight.next().await else { break };
            batch?.take_note(&mut import.progress, feed, rejected);
            let due = self.clock.elapsed().saturating_sub(noted_at) >= NOTED_EVERY;
            if due || rejected.size() >= MIN_PART_BYTES {
                self.note(import, rejected).await?;
                noted_at = self.clock.elapsed();
            }
        }
        Ok(end.flatten())
    }
}
