//! The invariants of the index (see `search::postings`) with concurrent writers that can crash at any call.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use domain::OrderId;
use platform::lock;
use proptest::collection::vec;
use proptest::prelude::*;
use search::adapters::memory::{InMemoryIndex, InMemoryRows};
use search::document::Document;
use search::postings::store::{PostingPage, Record, Rows};
use search::postings::{Posting, PostingsIndex, Range};
use search::store::OrderIndex;

use crate::support::{clock, customer_query, image, names, numbers, order_id, unrestricted_query};

/// The fault that is injected into a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    BeforeEffect,
    AfterEffect,
}

/// Rows that yield in every call, which can fail before or after its effect.
#[derive(Clone, Default)]
struct FaultyRows {
    rows: Arc<InMemoryRows>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    /// The number of calls that may have changed something.
    changes: Arc<AtomicU32>,
    /// Whether the removal of postings incorrectly ignores the stamp of the record.
    ignores_stamp: bool,
}

/// Yields to the other writers.
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
        let fault = lock(&self.faults).pop_front().unwrap_or(Fault::None);
        anyhow::ensure!(fault != Fault::BeforeEffect, "injected fault before the effect");
        let result = effect.await;
        self.changes.fetch_add(1, Ordering::SeqCst);
        pause().await;
        anyhow::ensure!(fault != Fault::AfterEffect, "injected fault after the effect");
        result
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
    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        self.call(self.rows.write_record(expected_stamp, record)).await
    }
    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()> {
        // A batch is not a transaction: it can fail at any point.
        for batch in postings.chunks(16) {
            self.call(self.rows.put_postings(batch)).await?;
        }
        Ok(())
    }
    async fn remove_postings(
        &self,
        order: OrderId,
        stamp: u64,
        postings: &[Posting],
    ) -> anyhow::Result<bool> {
        for batch in postings.chunks(16) {
            let stamp = if self.ignores_stamp {
                self.rows.record(order).await?.map_or(stamp, |record| record.stamp)
            } else {
                stamp
            };
            if !self.call(self.rows.remove_postings(order, stamp, batch)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        self.call(self.rows.read_postings(range, after, limit)).await
    }
}

/// A call of a writer.
#[derive(Debug, Clone)]
enum Job {
    Index(Document),
    Remove(OrderId),
}

/// A test case: the jobs of each writer, the injected faults, and the schedule.
#[derive(Debug, Clone)]
struct Case {
    writers: Vec<Vec<Job>>,
    faults: Vec<Fault>,
    /// The writer that runs next, and whether it crashes there.
    turns: Vec<(u8, bool)>,
}

/// The document of an order, with product names that differ between lookups.
fn document(number: u32, version: u64, name: u8) -> Document {
    let image = image(number, version);
    let product_names = match name {
        0 => names(&[]),
        1 => names(&[("TEA-001", "Darjeeling First Flush")]),
        2 => names(&[("TEA-001", "Assam"), ("TEA-002", "Earl Grey")]),
        _ => final_names(),
    };
    Document::from_order(&image.order, image.version, &product_names)
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
    let fault =
        prop_oneof![8 => Just(Fault::None), 1 => Just(Fault::BeforeEffect), 1 => Just(Fault::AfterEffect)];
    let turn = (any::<u8>(), proptest::bool::weighted(0.03));
    (vec(vec(jobs(names, removes), 1..4), 1..4), vec(fault, 0..150), vec(turn, 0..400))
        .prop_map(|(writers, faults, turns)| Case { writers, faults, turns })
}

type Work<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// Runs a case to its end: failed and crashed jobs are retried until they succeed. Returns the first violated
/// invariant.
fn run(rows: &FaultyRows, case: &Case) -> Result<(), String> {
    *lock(&rows.faults) = case.faults.iter().copied().collect();
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
            check_invariants(&rows.rows, &mut versions)?;
        }
        if turn > 100_000 {
            return Err("the writers do not finish".to_owned());
        }
    }
    Ok(())
}

/// Checks the invariants, which have to hold after every call.
fn check_invariants(rows: &InMemoryRows, versions: &mut BTreeMap<OrderId, u64>) -> Result<(), String> {
    let postings = rows.all_postings();
    for (order, record) in rows.all_records() {
        let needed = record.postings();
        let missing = needed.difference(&postings).count();
        if missing > 0 {
            return Err(format!("{order} lacks {missing} of its postings"));
        }
        if !record.debris.is_disjoint(&needed) {
            return Err(format!("{order} lists needed postings as debris"));
        }
        let version = record.document.as_ref().map_or(u64::MAX, |document| document.version);
        if versions.insert(order, version).is_some_and(|before| before > version) {
            return Err(format!("the version of {order} decreased to {version}"));
        }
    }
    Ok(())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Runs the same jobs on the reference index, sequentially and without faults.
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

fn assert_same_results(one: &dyn OrderIndex, other: &dyn OrderIndex) -> Result<(), TestCaseError> {
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
        for query in
            [unrestricted_query(words), customer_query("cust-1", words), customer_query("cust-2", words)]
        {
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
    fn the_index_converges_with_any_schedule_of_writers(case in cases(false, true)) {
        let rows = FaultyRows::default();
        run(&rows, &case).map_err(TestCaseError::fail)?;
        let (expected, index) = (expected(&case), PostingsIndex::new(rows.clone(), clock()));
        let documents: BTreeMap<OrderId, Document> = rows.rows.all_records().into_iter()
            .filter_map(|(order, record)| Some((order, record.document?))).collect();
        prop_assert_eq!(documents, expected.documents());
        lock(&rows.faults).clear();
        assert_same_results(&index, &expected)?;
        // No product name changed, so no obsolete postings remain either.
        let needed = rows.rows.all_records().values().flat_map(Record::postings).collect();
        let removed = case.writers.iter().flatten().any(|job| matches!(job, Job::Remove(_)));
        prop_assert!(removed || rows.rows.all_postings() == needed);
    }

    #[test]
    fn changing_names_lose_no_posting_and_a_rebuild_repairs_the_index(case in cases(true, false)) {
        let rows = FaultyRows::default();
        run(&rows, &case).map_err(TestCaseError::fail)?;
        lock(&rows.faults).clear();
        let index = PostingsIndex::new(rows.clone(), clock());
        // Which names are indexed depends on the schedule, but every order has its newest version.
        let newest = expected(&case).documents();
        let records = rows.rows.all_records();
        for (order, document) in &newest {
            let version = records[order].document.as_ref().map(|document| document.version);
            prop_assert_eq!(version, Some(document.version));
        }
        // A rebuild looks up all names again.
        let reference = InMemoryIndex::default();
        block_on(async {
            for number in 0..2 {
                if let Some(document) = newest.get(&order_id(number)) {
                    let rebuilt = super::writers::document(number, document.version, 3);
                    index.index(rebuilt.clone()).await.unwrap();
                    reference.index(rebuilt).await.unwrap();
                }
            }
        });
        assert_same_results(&index, &reference)?;
        prop_assert!(rows.rows.all_records().values().all(|record| record.debris.is_empty()));
    }
}

/// Verifies that the tests detect a missing check of the stamp. One writer is suspended at each call in turn,
/// while another writes postings that the first is about to remove: without the check, the delayed removal
/// deletes them.
#[test]
fn a_delayed_removal_does_not_delete_postings_that_are_needed_again() {
    let slow = vec![Job::Index(document(0, 1, 1)), Job::Index(document(0, 2, 2))];
    let fast = vec![Job::Index(document(0, 3, 1))];
    let broken = |ignores_stamp: bool| {
        let suspended_after = |calls: usize| {
            let turns =
                std::iter::repeat_n((0, false), calls).chain(std::iter::repeat_n((1, false), 200)).collect();
            let case = Case { writers: vec![slow.clone(), fast.clone()], faults: vec![], turns };
            run(&FaultyRows { ignores_stamp, ..FaultyRows::default() }, &case)
        };
        (0..60).filter_map(|calls| suspended_after(calls).err()).collect::<Vec<String>>()
    };
    assert_eq!(broken(false), [""; 0]);
    assert!(broken(true).iter().any(|why| why.contains("of its postings")));
}

#[test]
fn a_removed_order_leaves_no_postings_and_no_personal_data() {
    let rows = FaultyRows::default();
    let jobs = vec![Job::Index(document(0, 1, 3)), Job::Remove(order_id(0)), Job::Index(document(0, 2, 3))];
    let case = Case { writers: vec![jobs], faults: vec![], turns: vec![] };
    run(&rows, &case).unwrap();
    assert!(rows.rows.all_postings().is_empty());
    let record = rows.rows.all_records().remove(&order_id(0)).unwrap();
    assert_eq!((record.document, record.terms.len(), record.debris.len()), (None, 0, 0));
    assert!(record.expires_at.is_some(), "the tombstone expires");
    let page = block_on(PostingsIndex::new(rows, clock()).search(&unrestricted_query(""))).unwrap();
    assert_eq!(numbers(&page), [0; 0]);
}
