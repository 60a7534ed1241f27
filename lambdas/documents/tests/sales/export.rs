//! Files come out the same, wherever their writing is cut off.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use documents::adapters::memory::{InMemoryExportQueue, InMemoryExports, InMemoryLedger};
use documents::export::run::{ExportOrders, LEASE, Limits, MOST_ATTEMPTS, RESERVE};
use documents::export::store::{Created, Exports};
use documents::export::{Export, ExportId, Format, State, Wanted};
use documents::ledger::sale::Sale;
use documents::ledger::store::{Book, Page, Position, Shelf};
use domain::order::OrderStatus;
use jiff::{SignedDuration, Timestamp};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use platform::memory::{Bucket, InjectedFaults, ManualClock};
use platform::objects::MIN_PART_BYTES;
use platform::{Clock, Failure, MessageHandler};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::support::{at, cases, some_orders};

const START: &str = "2026-11-20T00:00:00Z";

/// A ledger that takes time to read: a second a page. It fails for one world alone: others read the same ledger meanwhile.
struct Slow {
    ledger: Arc<InMemoryLedger>,
    clock: Arc<ManualClock>,
    failures: InjectedFaults,
}

#[async_trait]
impl Book<Sale> for Slow {
    async fn page(&self, shelf: Shelf, from: &Position, until: &Position) -> anyhow::Result<Page<Sale>> {
        self.clock.advance(SignedDuration::from_secs(1));
        self.failures.check("reading the ledger")?;
        self.ledger.page(shelf, from, until).await
    }
}

struct World {
    exports: Arc<InMemoryExports>,
    queue: Arc<InMemoryExportQueue>,
    files: Arc<Bucket>,
    ledger: Arc<Slow>,
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
        let failures = InjectedFaults::default();
        let ledger = Arc::new(Slow { ledger: ledger.clone(), clock: clock.clone(), failures });
        let handler = ExportOrders {
            exports: exports.clone(),
            sales: ledger.clone(),
            files: files.clone(),
            queue: queue.clone(),
            clock: clock.clone(),
            limits: Limits { part: MIN_PART_BYTES, group_rows: 3000 },
        };
        let id = ExportId::from(Uuid::from_u128(1));
        let wanted = Wanted {
            from: at(START),
            until: at("2026-12-01T00:00:00Z"),
            statuses: statuses.iter().copied().collect::<BTreeSet<_>>(),
            format,
        };
        let now = clock.now();
        let export = Export {
            id,
            wanted,
            fingerprint: String::new(),
            requested_at: now,
            state: State::Queued,
            lease: None,
            attempts: 0,
            moved_at: now,
        };
        assert_eq!(exports.create(&export).await.unwrap(), Created::Now);
        Self { exports, queue, files, ledger, clock, handler, id }
    }

    async fn deliver(&self, seconds: u64) -> Result<(), Failure> {
        let message = json!({ "export_id": self.id });
        let time = Duration::from_secs(seconds) + RESERVE;
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

    /// What a straight run writes.
    async fn straight(ledger: &Arc<InMemoryLedger>, format: Format, statuses: &[OrderStatus]) -> Bytes {
        let world = Self::new(ledger, format, statuses).await;
        world.deliver(1_000_000).await.unwrap();
        assert!(matches!(world.export().await.state, State::Done { .. }));
        world.file().unwrap()
    }
}

/// What goes wrong at a delivery.
#[derive(Debug, Clone)]
enum Trouble {
    /// The time is over after so many seconds.
    Short(u64),
    /// A call to the bucket fails: the next, or one behind it.
    Files(u64, u32),
    /// A call for the record fails.
    Record(u64, u32),
    /// The ledger does not answer.
    Ledger(u64),
    /// The message does not get through.
    Queue(u64),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let seconds = 1..200_u64;
    prop_oneof![
        4 => seconds.clone().prop_map(Trouble::Short),
        1 => (seconds.clone(), 1..3_u32).prop_map(|(seconds, calls)| Trouble::Files(seconds, calls)),
        1 => (seconds.clone(), 1..3_u32).prop_map(|(seconds, calls)| Trouble::Record(seconds, calls)),
        1 => seconds.clone().prop_map(Trouble::Ledger),
        1 => seconds.prop_map(Trouble::Queue),
    ]
}

/// Delivers with each trouble, twice where it came to nothing, and then for as long as it takes.
async fn troubled(world: &World, troubles: &[Trouble]) {
    for trouble in troubles {
        let seconds = match trouble {
            Trouble::Short(seconds) => *seconds,
            Trouble::Files(seconds, calls) => {
                world.files.failures.fail_next(*calls);
                *seconds
            }
            Trouble::Record(seconds, calls) => {
                world.exports.failures.fail_next(*calls);
                *seconds
            }
            Trouble::Ledger(seconds) => {
                world.ledger.failures.fail_next(1);
                *seconds
            }
            Trouble::Queue(seconds) => {
                world.queue.failures.fail_next(1);
                *seconds
            }
        };
        let _ = world.deliver(seconds).await;
        world.files.failures.fail_next(0);
        world.exports.failures.fail_next(0);
        world.ledger.failures.fail_next(0);
        world.queue.failures.fail_next(0);
        // Whatever was left behind may be taken up by then.
        world.clock.advance(LEASE);
    }
    for _ in 0..40 {
        if matches!(world.export().await.state, State::Done { .. }) {
            return;
        }
        world.clock.advance(LEASE);
        let _ = world.deliver(1_000).await;
    }
    panic!("it did not come to an end: {:?}", world.export().await);
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// 720 orders with 45 lines: more than one part in JSON Lines, and several row groups.
fn large() -> Arc<InMemoryLedger> {
    static LEDGER: std::sync::OnceLock<Arc<InMemoryLedger>> = std::sync::OnceLock::new();
    // In a thread of its own: some tests are in a runtime, others are not.
    let made = || std::thread::spawn(|| blocking(some_orders(at(START), 720, 45))).join().unwrap();
    LEDGER.get_or_init(made).clone()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_file_is_the_same_however_often_it_is_cut_off(
        troubles in prop::collection::vec(trouble(), 1..7),
        format in prop::sample::select(vec![Format::Csv, Format::JsonLines, Format::Parquet]),
        few in any::<bool>(),
    ) {
        let statuses: &[OrderStatus] = if few { &[OrderStatus::Rejected] } else { &[] };
        blocking(async {
            let ledger = large();
            let wanted = World::straight(&ledger, format, statuses).await;
            let world = World::new(&ledger, format, statuses).await;
            troubled(&world, &troubles).await;
            let file = world.file().unwrap();
            assert!(file == wanted, "{} bytes for {}", file.len(), wanted.len());
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
async fn a_cut_has_neither_what_was_placed_later_nor_what_became_so_later() {
    // From the 24th at 23:50 on, every ten minutes: the second is placed at the moment at which it was asked for.
    let ledger = some_orders(at("2026-11-24T23:50:00Z"), 5, 1).await;
    let file = World::straight(&ledger, Format::JsonLines, &[]).await;
    let text = std::str::from_utf8(&file).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    // It was paid five seconds behind being placed: before the cut.
    assert!(text.contains("\"status\":\"paid\""), "{text}");
}

#[tokio::test]
async fn an_empty_export_is_a_file() {
    let ledger = Arc::new(InMemoryLedger::default());
    let csv = World::straight(&ledger, Format::Csv, &[]).await;
    assert!(csv.starts_with("\u{feff}order_id,".as_bytes()) && csv.ends_with(b"line_total\r\n"));
    assert_eq!(World::straight(&ledger, Format::JsonLines, &[]).await.len(), 0);
    let parquet = World::straight(&ledger, Format::Parquet, &[]).await;
    let reader = SerializedFileReader::new(parquet).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[tokio::test]
async fn a_parquet_file_has_every_line_in_typed_columns() {
    let ledger = large();
    let file = World::straight(&ledger, Format::Parquet, &[]).await;
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
            "text is text in Parquet"
        );
        assert_eq!(row.get_string(6).unwrap(), "EUR");
        assert_eq!(row.get_int(10).unwrap(), i32::try_from(number % 45).unwrap() + 1);
        assert_eq!(row.get_long(14).unwrap(), 2500);
    }
}

#[tokio::test]
async fn two_at_a_time_do_not_both_write() {
    let world = World::new(&large(), Format::Csv, &[]).await;
    // Somebody is at it, and was cut off without a word.
    let stored = world.exports.get(world.id).await.unwrap().unwrap();
    let until = world.clock.now() + LEASE;
    let lease = domain::Lease { owner: Uuid::from_u128(7), expires_at: until };
    let held = Export { lease: Some(lease), ..stored.value.clone() };
    world.exports.replace(&stored, held).await.unwrap().unwrap();
    let busy = world.deliver(1_000).await.unwrap_err();
    assert!(matches!(busy, Failure::Leased { until: at } if at == until), "{busy:?}");
    world.clock.advance(LEASE);
    world.deliver(1_000_000).await.unwrap();
    assert!(matches!(world.export().await.state, State::Done { .. }));
    // And once more, a week later: nothing happens.
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    let before = world.export().await;
    world.deliver(1_000).await.unwrap();
    assert_eq!(world.export().await, before);
}

#[tokio::test]
async fn an_export_that_does_not_come_on_is_given_up_in_the_end() {
    let world = World::new(&large(), Format::Csv, &[]).await;
    for _ in 0..MOST_ATTEMPTS {
        world.ledger.failures.fail_next(100);
        assert!(matches!(world.deliver(1_000).await, Err(Failure::Retry(_))));
    }
    world.ledger.failures.fail_next(0);
    assert!(matches!(world.deliver(1_000).await, Err(Failure::Reject(_))));
    assert!(matches!(world.export().await.state, State::Failed { .. }));
    world.deliver(1_000).await.unwrap();
    assert!(matches!(world.export().await.state, State::Failed { .. }), "it stays so");
}

#[tokio::test]
async fn what_is_not_an_export_is_put_away_and_one_that_is_gone_is_left_alone() {
    let world = World::new(&large(), Format::Csv, &[]).await;
    let time = Duration::from_secs(60);
    let poison = world.handler.handle_message(json!({ "export_id": "x" }), time).await.unwrap_err();
    assert!(matches!(poison, Failure::Poison(_)), "{poison:?}");
    let gone = json!({ "export_id": Uuid::from_u128(99) });
    assert!(world.handler.handle_message(gone, time).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_that_is_out_of_time_has_the_rest_done() {
    let world = World::new(&large(), Format::Csv, &[]).await;
    world.deliver(20).await.unwrap();
    assert_eq!(world.queue.take(), [world.id]);
    let export = world.export().await;
    assert!(matches!(export.state, State::Running { orders, .. } if orders > 0), "{export:?}");
    assert_eq!(export.lease, None, "whoever comes next can begin at once");
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
fn names_of_files_say_when_they_were_asked_for() {
    let now: Timestamp = at("2026-11-25T01:02:03Z");
    let wanted = Wanted { from: now, until: now, statuses: BTreeSet::new(), format: Format::Parquet };
    let export = Export {
        id: Uuid::from_u128(1).into(),
        wanted,
        fingerprint: String::new(),
        requested_at: now,
        state: State::Queued,
        lease: None,
        attempts: 0,
        moved_at: now,
    };
    assert_eq!(export.file_name(), "orders-20261125-010203.parquet");
    assert!(!export.is_overdue(now) && export.is_overdue(now + SignedDuration::from_mins(4)));
}
