//! Interrupted exports result in the same files as uninterrupted ones.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::order::OrderStatus;
use jiff::{SignedDuration, Timestamp};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use platform::memory::{Bucket, InjectedFaults, ManualClock};
use platform::objects::MIN_PART_BYTES;
use platform::{Clock, Failure, MessageHandler, lock};
use proptest::prelude::*;
use sales::adapters::memory::{InMemoryExportQueue, InMemoryExports, InMemoryLedger};
use sales::export::run::{CHECKPOINT_MARGIN, ExportOrders, LEASE_DURATION, Limits, MAX_ATTEMPTS};
use sales::export::store::{CreateResult, Exports};
use sales::export::{Export, ExportId, ExportRequest, Format, State};
use sales::ledger::sale::Sale;
use sales::ledger::store::{LedgerTable, Page, Partition, Position};
use serde_json::json;
use uuid::Uuid;

use crate::support::{OrderEvent, at, cases, details, event, order_id, record, some_orders};

const START: &str = "2026-11-20T00:00:00Z";

/// A ledger that takes one second to read a page. The faults are its own, because several worlds share the
/// ledger behind it.
struct SlowLedger {
    ledger: Arc<InMemoryLedger>,
    clock: Arc<ManualClock>,
    failures: InjectedFaults,
    /// Takes over the export while a page is read, as if the lease of its worker had expired.
    other_worker: Mutex<Option<Arc<InMemoryExports>>>,
}

/// The other worker.
const OTHER: Uuid = Uuid::from_u128(7);

impl SlowLedger {
    async fn take_over(&self) -> anyhow::Result<()> {
        let Some(exports) = lock(&self.other_worker).take() else { return Ok(()) };
        let stored = exports.get(ExportId::from(Uuid::from_u128(1))).await?.context("no export")?;
        let lease = domain::Lease { owner: OTHER, expires_at: self.clock.now() + LEASE_DURATION };
        let taken = Export { lease: Some(lease), ..stored.value.clone() };
        exports.replace(&stored, taken).await?.context("the record has changed")?;
        Ok(())
    }
}

#[async_trait]
impl LedgerTable<Sale> for SlowLedger {
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<Sale>> {
        self.clock.advance(SignedDuration::from_secs(1));
        self.failures.check("reading the ledger")?;
        self.take_over().await?;
        self.ledger.read_page(partition, from, until).await
    }
}

struct World {
    exports: Arc<InMemoryExports>,
    queue: Arc<InMemoryExportQueue>,
    files: Arc<Bucket>,
    ledger: Arc<SlowLedger>,
    clock: Arc<ManualClock>,
    handler: ExportOrders,
    id: ExportId,
}

impl World {
    async fn new(ledger: &Arc<InMemoryLedger>, format: Format, statuses: &[OrderStatus]) -> Self {
        let clock = Arc::new(ManualClock::new(at("2026-11-25T00:00:00Z")));
        let exports = Arc::new(InMemoryExports::default());
        let queue = Arc::new(InMemoryExportQueue::default());
        let files = Arc::new(Bucket::default());
        let ledger = Arc::new(SlowLedger {
            ledger: ledger.clone(),
            clock: clock.clone(),
            failures: InjectedFaults::default(),
            other_worker: Mutex::default(),
        });
        let handler = ExportOrders {
            exports: exports.clone(),
            sales: ledger.clone(),
            files: files.clone(),
            queue: queue.clone(),
            clock: clock.clone(),
            limits: Limits { part_bytes: MIN_PART_BYTES, row_group_size: 3000 },
        };
        let id = ExportId::from(Uuid::from_u128(1));
        let request = ExportRequest {
            from: at(START),
            until: at("2026-12-01T00:00:00Z"),
            statuses: statuses.iter().copied().collect::<BTreeSet<_>>(),
            format,
        };
        let export = Export::new(id, request, String::new(), clock.now());
        assert_eq!(exports.create(&export).await.unwrap(), CreateResult::Created);
        Self { exports, queue, files, ledger, clock, handler, id }
    }

    async fn deliver(&self, seconds: u64) -> Result<(), Failure> {
        let message = json!({ "export_id": self.id });
        let time = Duration::from_secs(seconds) + CHECKPOINT_MARGIN;
        self.handler.handle_message(message, time).await.map(drop)
    }

    async fn export(&self) -> Export {
        self.exports.get(self.id).await.unwrap().unwrap().value
    }

    fn file(&self) -> Option<Bytes> {
        let keys = self.files.keys();
        let key = keys.iter().find(|key| key.starts_with("exports/"))?;
        Some(self.files.get(key).unwrap().body)
    }

    /// Returns the file of an uninterrupted run.
    async fn uninterrupted(ledger: &Arc<InMemoryLedger>, format: Format, statuses: &[OrderStatus]) -> Bytes {
        let world = Self::new(ledger, format, statuses).await;
        world.deliver(1_000_000).await.unwrap();
        assert!(matches!(world.export().await.state, State::Done { .. }));
        world.file().unwrap()
    }
}

/// A fault during a delivery.
#[derive(Debug, Clone)]
enum Fault {
    /// The function times out after this number of seconds.
    OutOfTime(u64),
    /// This number of calls of the bucket fail.
    Bucket(u64, u32),
    /// This number of calls of the store of exports fail.
    Record(u64, u32),
    /// The ledger is unavailable.
    Ledger(u64),
    /// The message cannot be sent.
    Queue(u64),
}

fn fault() -> impl Strategy<Value = Fault> {
    let seconds = 1..200_u64;
    prop_oneof![
        4 => seconds.clone().prop_map(Fault::OutOfTime),
        1 => (seconds.clone(), 1..3_u32).prop_map(|(seconds, calls)| Fault::Bucket(seconds, calls)),
        1 => (seconds.clone(), 1..3_u32).prop_map(|(seconds, calls)| Fault::Record(seconds, calls)),
        1 => seconds.clone().prop_map(Fault::Ledger),
        1 => seconds.prop_map(Fault::Queue),
    ]
}

/// Delivers the message once with each fault, and then without faults until the export is done.
async fn deliver_with_faults(world: &World, faults: &[Fault]) {
    for fault in faults {
        let seconds = match fault {
            Fault::OutOfTime(seconds) => *seconds,
            Fault::Bucket(seconds, calls) => {
                world.files.failures.fail_next(*calls);
                *seconds
            }
            Fault::Record(seconds, calls) => {
                world.exports.failures.fail_next(*calls);
                *seconds
            }
            Fault::Ledger(seconds) => {
                world.ledger.failures.fail_next(1);
                *seconds
            }
            Fault::Queue(seconds) => {
                world.queue.failures.fail_next(1);
                *seconds
            }
        };
        let _ = world.deliver(seconds).await;
        world.files.failures.fail_next(0);
        world.exports.failures.fail_next(0);
        world.ledger.failures.fail_next(0);
        world.queue.failures.fail_next(0);
        // By then, any lease that was left behind has expired.
        world.clock.advance(LEASE_DURATION);
    }
    for _ in 0..40 {
        if matches!(world.export().await.state, State::Done { .. }) {
            return;
        }
        world.clock.advance(LEASE_DURATION);
        let _ = world.deliver(1_000).await;
    }
    panic!("the export did not finish: {:?}", world.export().await);
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// 720 orders with 45 lines: more than one part in JSON Lines, and several row groups.
fn large_ledger() -> Arc<InMemoryLedger> {
    static LEDGER: std::sync::OnceLock<Arc<InMemoryLedger>> = std::sync::OnceLock::new();
    // In a thread of its own, because some tests run in a runtime and others do not.
    let create = || std::thread::spawn(|| blocking(some_orders(at(START), 720, 45))).join().unwrap();
    LEDGER.get_or_init(create).clone()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_file_does_not_depend_on_interruptions(
        faults in prop::collection::vec(fault(), 1..7),
        format in prop::sample::select(vec![Format::Csv, Format::JsonLines, Format::Parquet]),
        is_filtered in any::<bool>(),
    ) {
        let statuses: &[OrderStatus] = if is_filtered { &[OrderStatus::Rejected] } else { &[] };
        blocking(async {
            let ledger = large_ledger();
            let expected = World::uninterrupted(&ledger, format, statuses).await;
            let world = World::new(&ledger, format, statuses).await;
            deliver_with_faults(&world, &faults).await;
            let file = world.file().unwrap();
            assert!(file == expected, "{} bytes for {}", file.len(), expected.len());
            let State::Done { bytes, orders, .. } = world.export().await.state else { panic!("not done") };
            assert_eq!(bytes, u64::try_from(file.len()).unwrap());
            assert!(orders > 0);
            let left: Vec<String> =
                world.files.keys().into_iter().filter(|key| key.starts_with("exports/")).collect();
            assert_eq!(left.len(), 1);
        });
    }
}

#[tokio::test]
async fn an_export_excludes_orders_and_events_after_its_request() {
    // One order every ten minutes from 23:50 on the 24th: the second is placed at the time of the request.
    let ledger = some_orders(at("2026-11-24T23:50:00Z"), 5, 1).await;
    let file = World::uninterrupted(&ledger, Format::JsonLines, &[]).await;
    let text = std::str::from_utf8(&file).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    // It was paid five seconds after it was placed, which is before the request.
    assert!(text.contains("\"status\":\"paid\""), "{text}");
}

#[tokio::test]
async fn no_cell_is_a_formula_wherever_a_spreadsheet_splits_it() {
    let ledger = Arc::new(InMemoryLedger::default());
    for (name, number) in ["=1+1", "Ada;=1+1", "Ada; \"＝1", "Ada,@x", "\"-1"].into_iter().zip(1..) {
        let mut order = details(at(START), "EUR", &[("TEA-1", 1, 100)]);
        order.customer.name = name.parse().unwrap();
        record(&ledger, &[event(order_id(number), &order, at(START), &OrderEvent::Created)]).await;
    }
    let file = World::uninterrupted(&ledger, Format::Csv, &[]).await;
    let text = std::str::from_utf8(&file).unwrap();
    assert!(text.contains(",Ada;'=1+1,"), "{text}");
    for cell in text.split([',', ';', '\r', '\n']) {
        let start = cell.trim_start_matches([' ', '"']);
        assert!(!start.starts_with(['=', '+', '-', '@', '＝']), "{cell}");
    }
}

#[tokio::test]
async fn an_export_without_orders_is_a_valid_file() {
    let ledger = Arc::new(InMemoryLedger::default());
    let csv = World::uninterrupted(&ledger, Format::Csv, &[]).await;
    assert!(csv.starts_with("\u{feff}order_id,".as_bytes()) && csv.ends_with(b"line_total\r\n"));
    assert_eq!(World::uninterrupted(&ledger, Format::JsonLines, &[]).await.len(), 0);
    let parquet = World::uninterrupted(&ledger, Format::Parquet, &[]).await;
    let reader = SerializedFileReader::new(parquet).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[tokio::test]
async fn a_parquet_file_has_every_line_in_typed_columns() {
    let ledger = large_ledger();
    let file = World::uninterrupted(&ledger, Format::Parquet, &[]).await;
    let reader = SerializedFileReader::new(file).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.file_metadata().num_rows(), 720 * 45);
    assert!(metadata.num_row_groups() > 5, "{}", metadata.num_row_groups());
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 720 * 45);
    for (number, row) in rows.iter().enumerate().step_by(997) {
        let order = i64::try_from(number / 45).unwrap();
        let placed = at(START) + SignedDuration::from_mins(order * 10);
        assert_eq!(row.get_timestamp_micros(1).unwrap(), placed.as_microsecond());
        assert_eq!(row.get_string(2).unwrap() == "paid", order % 3 == 0);
        assert!(
            row.get_string(4).unwrap().starts_with(&format!("=Ada \"{order}\"")),
            "Parquet needs no formula escaping"
        );
        assert_eq!(row.get_string(6).unwrap(), "EUR");
        assert_eq!(row.get_int(10).unwrap(), i32::try_from(number % 45).unwrap() + 1);
        assert_eq!(row.get_long(14).unwrap(), 2500);
    }
}

#[tokio::test]
async fn a_leased_export_is_not_written_by_another_worker() {
    let world = World::new(&large_ledger(), Format::Csv, &[]).await;
    // Another worker holds the lease, and has crashed.
    let stored = world.exports.get(world.id).await.unwrap().unwrap();
    let until = world.clock.now() + LEASE_DURATION;
    let lease = domain::Lease { owner: Uuid::from_u128(7), expires_at: until };
    let held = Export { lease: Some(lease), ..stored.value.clone() };
    world.exports.replace(&stored, held).await.unwrap().unwrap();
    let leased = world.deliver(1_000).await.unwrap_err();
    assert!(matches!(leased, Failure::Leased { until: at } if at == until), "{leased:?}");
    world.clock.advance(LEASE_DURATION);
    world.deliver(1_000_000).await.unwrap();
    assert!(matches!(world.export().await.state, State::Done { .. }));
    // A redelivery after a week has no effect.
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    let before = world.export().await;
    world.deliver(1_000).await.unwrap();
    assert_eq!(world.export().await, before);
}

#[tokio::test]
async fn a_worker_whose_lease_ended_changes_nothing() {
    let world = World::new(&large_ledger(), Format::Csv, &[]).await;
    // The file has a part when the worker learns that it is no longer the one.
    *lock(&world.ledger.other_worker) = Some(world.exports.clone());
    assert!(matches!(world.deliver(1_000_000).await, Err(Failure::Retry(_))));
    let export = world.export().await;
    assert_eq!(export.lease.map(|lease| lease.owner), Some(OTHER), "the lease of the other worker stands");
    assert_eq!(export.state, State::Queued);
    // The other worker ends without an effect as well: the third one writes the file.
    world.clock.advance(LEASE_DURATION);
    world.deliver(1_000_000).await.unwrap();
    let expected = World::uninterrupted(&large_ledger(), Format::Csv, &[]).await;
    assert!(world.file().unwrap() == expected);
}

#[tokio::test]
async fn an_export_without_progress_fails_after_the_last_attempt() {
    let world = World::new(&large_ledger(), Format::Csv, &[]).await;
    for _ in 0..MAX_ATTEMPTS {
        world.ledger.failures.fail_next(100);
        assert!(matches!(world.deliver(1_000).await, Err(Failure::Retry(_))));
    }
    world.ledger.failures.fail_next(0);
    assert!(matches!(world.deliver(1_000).await, Err(Failure::Reject(_))));
    assert!(matches!(world.export().await.state, State::Failed { .. }));
    world.deliver(1_000).await.unwrap();
    assert!(matches!(world.export().await.state, State::Failed { .. }), "the state is final");
}

#[tokio::test]
async fn an_invalid_message_is_poison_and_a_missing_export_is_ignored() {
    let world = World::new(&large_ledger(), Format::Csv, &[]).await;
    let time = Duration::from_secs(60);
    let poison = world.handler.handle_message(json!({ "export_id": "x" }), time).await.unwrap_err();
    assert!(matches!(poison, Failure::Poison(_)), "{poison:?}");
    let gone = json!({ "export_id": Uuid::from_u128(99) });
    assert!(world.handler.handle_message(gone, time).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_that_is_out_of_time_queues_the_rest() {
    let world = World::new(&large_ledger(), Format::Csv, &[]).await;
    world.deliver(20).await.unwrap();
    assert_eq!(world.queue.take(), [world.id]);
    let export = world.export().await;
    assert!(matches!(export.state, State::Running { orders, .. } if orders > 0), "{export:?}");
    assert_eq!(export.lease, None, "the next worker can start immediately");
    assert_eq!(export.attempts, 0);
    let mut deliveries = 1;
    while !world.export().await.is_final() {
        world.deliver(20).await.unwrap();
        deliveries += 1;
    }
    assert!(deliveries > 3, "{deliveries}");
    let left: Vec<String> =
        world.files.keys().into_iter().filter(|key| key.starts_with("checkpoints/")).collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(world.files.pending_uploads(), 0);
}

#[test]
fn file_names_contain_the_request_time() {
    let now: Timestamp = at("2026-11-25T01:02:03Z");
    let request = ExportRequest { from: now, until: now, statuses: BTreeSet::new(), format: Format::Parquet };
    let export = Export::new(Uuid::from_u128(1).into(), request, String::new(), now);
    assert_eq!(export.file_name(), "orders-20261125-010203.parquet");
    let later = now + SignedDuration::from_mins(4);
    assert!(!export.is_overdue(now) && export.is_overdue(later));
    let lease = |expires_at| Some(domain::Lease { owner: Uuid::from_u128(7), expires_at });
    let leased = |until| Export { lease: lease(until), ..export.clone() };
    assert!(!leased(later + SignedDuration::from_secs(1)).is_overdue(later), "a worker makes progress");
    assert!(leased(later).is_overdue(later));
}
