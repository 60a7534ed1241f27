//! Many writers at the same time, crashing anywhere: what holds of the index then (see `search::postings`).

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use domain::OrderId;
use platform::memory::lock;
use proptest::collection::vec;
use proptest::prelude::*;
use search::adapters::memory::{InMemoryIndex, InMemoryRows};
use search::document::Document;
use search::postings::rows::{Read, Record, Rows};
use search::postings::{Posting, PostingsIndex, Range};
use search::store::OrderIndex;

use crate::support::{clock, customers, everybodys, image, names, numbers, order_id};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    FailsBefore,
    FailsAfter,
}

/// Rows whose every call waits its turn, and may fail before its effect or after it.
#[derive(Clone, Default)]
struct FaultyRows {
    rows: Arc<InMemoryRows>,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    /// How many calls may have changed something.
    changes: Arc<AtomicU32>,
    /// Whether removing postings looks at the record's stamp, as it should.
    unfenced: bool,
}

/// Lets others go first.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl FaultyRows {
    async fn call<T>(&self, effect: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        pause().await;
        let fate = lock(&self.fates).pop_front().unwrap_or(Fate::Fine);
        anyhow::ensure!(fate != Fate::FailsBefore, "it failed before its effect");
        let done = effect.await;
        self.changes.fetch_add(1, Ordering::SeqCst);
        pause().await;
        anyhow::ensure!(fate != Fate::FailsAfter, "it failed after its effect");
        done
    }
}

#[async_trait]
impl Rows for FaultyRows {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        self.call(self.rows.record(order)).await
    }
    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        self.call(self.rows.records(orders)).await
    }
    async fn write(&self, read: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        self.call(self.rows.write(read, record)).await
    }
    async fn put(&self, postings: &[Posting]) -> anyhow::Result<()> {
        // A batch is no transaction: it may end anywhere.
        for some in postings.chunks(16) {
            self.call(self.rows.put(some)).await?;
        }
        Ok(())
    }
    async fn remove(&self, order: OrderId, stamp: u64, postings: &[Posting]) -> anyhow::Result<bool> {
        for some in postings.chunks(16) {
            let stamp = if self.unfenced {
                self.rows.record(order).await?.map_or(stamp, |record| record.stamp)
            } else {
                stamp
            };
            if !self.call(self.rows.remove(order, stamp, some)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
    async fn read(&self, range: &Range, after: Option<&Posting>, limit: usize) -> anyhow::Result<Read> {
        self.call(self.rows.read(range, after, limit)).await
    }
}

/// What a writer does.
#[derive(Debug, Clone)]
enum Job {
    Index(Document),
    Remove(OrderId),
}

/// What a case is made of: so many writers with their jobs, and what goes wrong when.
#[derive(Debug, Clone)]
struct Case {
    writers: Vec<Vec<Job>>,
    fates: Vec<Fate>,
    /// Who goes next, and whether they crash there.
    turns: Vec<(u8, bool)>,
}

/// An order's image with names that differ from look-up to look-up.
fn document(number: u32, version: u64, name: u8) -> Document {
    let image = image(number, version);
    let named = match name {
        0 => names(&[]),
        1 => names(&[("TEA-001", "Darjeeling First Flush")]),
        2 => names(&[("TEA-001", "Assam"), ("TEA-002", "Earl Grey")]),
        _ => final_names(),
    };
    Document::of(&image.order, image.version, &named)
}

fn final_names() -> BTreeMap<domain::Sku, domain::ProductName> {
    names(&[("TEA-001", "Ceylon First"), ("TEA-002", "Earl Green")])
}

fn jobs(names: bool, removes: bool) -> impl Strategy<Value = Job> {
    let name = if names { (0..4_u8).boxed() } else { Just(3).boxed() };
    let index = (0..2_u32, 1..=3_u64, name)
        .prop_map(|(number, version, name)| Job::Index(document(number, version, name)));
    let remove = (0..2_u32).prop_map(|number| Job::Remove(order_id(number)));
    if removes { prop_oneof![5 => index, 1 => remove].boxed() } else { index.boxed() }
}

fn cases(names: bool, removes: bool) -> impl Strategy<Value = Case> {
    let fate = prop_oneof![8 => Just(Fate::Fine), 1 => Just(Fate::FailsBefore), 1 => Just(Fate::FailsAfter)];
    let turn = (any::<u8>(), proptest::bool::weighted(0.03));
    (vec(vec(jobs(names, removes), 1..4), 1..4), vec(fate, 0..150), vec(turn, 0..400))
        .prop_map(|(writers, fates, turns)| Case { writers, fates, turns })
}

type Work<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// Runs a case to its end: what fails or crashes is done again until it is done. Gives back what was broken on the way.
fn run(rows: &FaultyRows, case: &Case) -> Result<(), String> {
    *lock(&rows.fates) = case.fates.iter().copied().collect();
    let index = PostingsIndex::new(rows.clone(), clock());
    let start = |job: &Job| -> Work<'_> {
        let job = job.clone();
        let index = &index;
        Box::pin(async move {
            match job {
                Job::Index(document) => index.index(document).await.map(drop),
                Job::Remove(order) => index.remove(order).await,
            }
        })
    };
    let mut left: Vec<VecDeque<Job>> =
        case.writers.iter().map(|jobs| jobs.iter().cloned().collect()).collect();
    let mut work: Vec<Option<Work<'_>>> = left.iter().map(|jobs| jobs.front().map(start)).collect();
    let mut turns = case.turns.iter().copied();
    let mut versions: BTreeMap<OrderId, u64> = BTreeMap::new();
    let mut changes = 0;
    for turn in 0_usize.. {
        let busy: Vec<usize> = (0..work.len()).filter(|writer| work[*writer].is_some()).collect();
        let Some((who, crashes)) = (!busy.is_empty()).then(|| {
            let (who, crashes) =
                turns.next().map_or((turn, false), |(who, crashes)| (usize::from(who), crashes));
            (busy[who % busy.len()], crashes)
        }) else {
            return Ok(());
        };
        if crashes {
            work[who] = left[who].front().map(start);
            continue;
        }
        let polled = work[who].as_mut().unwrap().as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = polled {
            if done.is_ok() {
                left[who].pop_front();
            }
            work[who] = left[who].front().map(start);
        }
        let changes_now = rows.changes.load(Ordering::SeqCst);
        if changes_now != changes {
            changes = changes_now;
            holds(&rows.rows, &mut versions)?;
        }
        if turn > 100_000 {
            return Err("it never ends".to_owned());
        }
    }
    Ok(())
}

/// What has to hold at every moment.
fn holds(rows: &InMemoryRows, versions: &mut BTreeMap<OrderId, u64>) -> Result<(), String> {
    let postings = rows.all_postings();
    for (order, record) in rows.all_records() {
        let needed = record.postings();
        let missing = needed.difference(&postings).count();
        if missing > 0 {
            return Err(format!("{order} lacks {missing} of its postings"));
        }
        if !record.debris.is_disjoint(&needed) {
            return Err(format!("{order} has debris that it needs"));
        }
        let version = record.document.as_ref().map_or(u64::MAX, |document| document.version);
        if versions.insert(order, version).is_some_and(|before| before > version) {
            return Err(format!("{order} went back to version {version}"));
        }
    }
    Ok(())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// The same jobs, one after the other and without a fault, taken by the index that everything is compared with.
fn expected(case: &Case) -> InMemoryIndex {
    let index = InMemoryIndex::default();
    block_on(async {
        for job in case.writers.iter().flatten() {
            match job {
                Job::Index(document) => drop(index.index(document.clone()).await.unwrap()),
                Job::Remove(order) => index.remove(*order).await.unwrap(),
            }
        }
    });
    index
}

fn found_alike(one: &dyn OrderIndex, other: &dyn OrderIndex) -> Result<(), TestCaseError> {
    for words in [
        "",
        "ada",
        "ceylon",
        "first",
        "first ada",
        "ear",
        "tea-001",
        "darj",
        "assam",
        "12.5",
        "01890a5d-ac",
        "25.00",
    ] {
        for query in [everybodys(words), customers("cust-1", words), customers("cust-2", words)] {
            let (one, other) =
                block_on(async { (one.search(&query).await.unwrap(), other.search(&query).await.unwrap()) });
            prop_assert_eq!(one, other, "{}", words);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn the_index_ends_the_same_whoever_wrote_when(case in cases(false, true)) {
        let rows = FaultyRows::default();
        run(&rows, &case).map_err(TestCaseError::fail)?;
        let (expected, index) = (expected(&case), PostingsIndex::new(rows.clone(), clock()));
        let documents: BTreeMap<OrderId, Document> = rows.rows.all_records().into_iter()
            .filter_map(|(order, record)| Some((order, record.document?))).collect();
        prop_assert_eq!(documents, expected.documents());
        lock(&rows.fates).clear();
        found_alike(&index, &expected)?;
        // No word changed, so nothing is left of what is gone either.
        let needed = rows.rows.all_records().values().flat_map(Record::postings).collect();
        let removed = case.writers.iter().flatten().any(|job| matches!(job, Job::Remove(_)));
        prop_assert!(removed || rows.rows.all_postings() == needed);
    }

    #[test]
    fn names_that_change_in_between_lose_no_posting_and_are_mended_by_a_rebuild(case in cases(true, false)) {
        let rows = FaultyRows::default();
        run(&rows, &case).map_err(TestCaseError::fail)?;
        lock(&rows.fates).clear();
        let index = PostingsIndex::new(rows.clone(), clock());
        // Whatever was found out last: no order is at an older version than it was told.
        let newest = expected(&case).documents();
        let records = rows.rows.all_records();
        for (order, document) in &newest {
            let version = records[order].document.as_ref().map(|document| document.version);
            prop_assert_eq!(version, Some(document.version));
        }
        // A rebuild asks for all names anew.
        let fresh = InMemoryIndex::default();
        block_on(async {
            for number in 0..2 {
                if let Some(document) = newest.get(&order_id(number)) {
                    let rebuilt = super::writers::document(number, document.version, 3);
                    index.index(rebuilt.clone()).await.unwrap();
                    fresh.index(rebuilt).await.unwrap();
                }
            }
        });
        found_alike(&index, &fresh)?;
        prop_assert!(rows.rows.all_records().values().all(|record| record.debris.is_empty()));
    }
}

/// The tests look where they have to. One writer is held up at each call in turn, while another needs what the first
/// is about to remove: without the check of the stamp, the late clean-up takes it away.
#[test]
fn a_clean_up_that_comes_late_removes_nothing_that_is_needed_again() {
    let slow = vec![Job::Index(document(0, 1, 1)), Job::Index(document(0, 2, 2))];
    let fast = vec![Job::Index(document(0, 3, 1))];
    let broken = |unfenced: bool| {
        let held_up_after = |calls: usize| {
            let turns =
                std::iter::repeat_n((0, false), calls).chain(std::iter::repeat_n((1, false), 200)).collect();
            let case = Case { writers: vec![slow.clone(), fast.clone()], fates: vec![], turns };
            run(&FaultyRows { unfenced, ..FaultyRows::default() }, &case)
        };
        (0..60).filter_map(|calls| held_up_after(calls).err()).collect::<Vec<String>>()
    };
    assert_eq!(broken(false), [""; 0]);
    assert!(broken(true).iter().any(|why| why.contains("of its postings")));
}

#[test]
fn removed_orders_leave_no_word_behind() {
    let rows = FaultyRows::default();
    let jobs = vec![Job::Index(document(0, 1, 3)), Job::Remove(order_id(0)), Job::Index(document(0, 2, 3))];
    let case = Case { writers: vec![jobs], fates: vec![], turns: vec![] };
    run(&rows, &case).unwrap();
    assert!(rows.rows.all_postings().is_empty());
    let record = rows.rows.all_records().remove(&order_id(0)).unwrap();
    assert_eq!((record.document, record.terms.len(), record.debris.len()), (None, 0, 0));
    assert!(record.expires_at.is_some(), "nothing personal is left, and this row goes too");
    let page = block_on(PostingsIndex::new(rows, clock()).search(&everybodys(""))).unwrap();
    assert_eq!(numbers(&page), [0; 0]);
}
