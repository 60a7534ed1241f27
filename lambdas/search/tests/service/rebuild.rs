//! The rebuild: an index rebuilt from the table equals the one built by the stream.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use search::adapters::memory::{InMemoryImages, InMemoryNames, InMemoryRows};
use search::index_order::IndexOrder;
use search::postings::PostingsIndex;
use search::rebuild::{Counts, index_segment, remove_missing};

use crate::support::{clock, image, order_id, sku};

type Index = PostingsIndex<InMemoryRows>;

fn indexer(index: &Arc<Index>) -> IndexOrder {
    let names = InMemoryNames::default();
    names.set_name(&sku("TEA-001"), "Darjeeling".parse().unwrap());
    IndexOrder { index: index.clone(), names: Arc::new(names) }
}

fn index() -> Arc<Index> {
    Arc::new(PostingsIndex::new(InMemoryRows::default(), clock()))
}

async fn rebuild(index: &Arc<Index>, table: &InMemoryImages) -> Counts {
    let mut counts = Counts::default();
    for segment in 0..3 {
        index_segment(&indexer(index), table, segment, 3, |more| counts.add(more)).await.unwrap();
    }
    let known: Vec<_> = index.rows().all_records().into_keys().collect();
    counts.removed = remove_missing(index.as_ref(), table, &known).await.unwrap();
    counts
}

/// The contents of the index, without the stamps of the records.
fn contents(index: &Index) -> (Vec<serde_json::Value>, usize) {
    let records = index.rows().all_records();
    let found = records.values().filter_map(|record| {
        Some(serde_json::json!([record.document.as_ref()?, record.terms, record.audiences, record.debris]))
    });
    (found.collect(), index.rows().all_postings().len())
}

/// A change of the table, or a delivery to the index.
#[derive(Debug, Clone)]
enum Step {
    /// Writes the next version of an order.
    Write(u32),
    /// Deletes an order.
    Delete(u32),
    /// The stream delivers or redelivers any earlier change.
    Deliver(u8),
    /// The rebuild indexes an image that it read earlier.
    Rebuild(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..6_u32).prop_map(Step::Write),
        1 => (0..6_u32).prop_map(Step::Delete),
        6 => any::<u8>().prop_map(Step::Deliver),
        2 => any::<u8>().prop_map(Step::Rebuild),
    ];
    vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_rebuilt_index_equals_the_one_built_by_the_stream(steps in steps(), late in vec(any::<u8>(), 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (streamed, table) = (index(), InMemoryImages::default());
            let stream = indexer(&streamed);
            let mut versions = [0_u64; 6];
            let mut deleted = [false; 6];
            // All images of all orders; version 0 is a deletion.
            let mut history: Vec<(u32, u64)> = Vec::new();
            let deliver = async |(number, version): (u32, u64)| {
                if version == 0 {
                    search::store::OrderIndex::remove(streamed.as_ref(), order_id(number)).await.unwrap();
                } else {
                    stream.index(&image(number, version)).await.unwrap();
                }
            };
            for step in steps {
                match step {
                    Step::Write(number) if !deleted[number as usize] && versions[number as usize] < 3 => {
                        versions[number as usize] += 1;
                        let version = versions[number as usize];
                        table.write(image(number, version));
                        history.push((number, version));
                    }
                    Step::Delete(number) if versions[number as usize] > 0 => {
                        deleted[number as usize] = true;
                        table.delete(order_id(number));
                        history.push((number, 0));
                    }
                    Step::Deliver(which) | Step::Rebuild(which) if !history.is_empty() => {
                        let change = history[usize::from(which) % history.len()];
                        // A rebuild reads only existing orders, but an order that it read may have been
                        // deleted since.
                        if matches!(step, Step::Deliver(_)) || change.1 > 0 {
                            deliver(change).await;
                        }
                    }
                    _ => {}
                }
            }
            // Finally, the stream has delivered all changes, in some order, and some of them twice.
            let order: Vec<usize> = late.iter().map(|which| usize::from(*which)).collect();
            for which in order.into_iter().filter(|_| !history.is_empty()).chain(0..history.len()) {
                deliver(history[which % history.len()]).await;
            }
            let rebuilt = index();
            let counts = rebuild(&rebuilt, &table).await;
            prop_assert_eq!(counts.written, u64::try_from(table.all().len()).unwrap());
            prop_assert_eq!(contents(&streamed), contents(&rebuilt));
            // A rebuild of an index that is up to date writes nothing.
            let again = rebuild(&streamed, &table).await;
            prop_assert_eq!((again.written, again.orders), (0, counts.orders));
            prop_assert_eq!(contents(&streamed), contents(&rebuilt));
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_rebuild_removes_obsolete_orders_and_postings() {
    let (index, table) = (index(), InMemoryImages::default());
    for number in 0..5 {
        table.write(image(number, 1));
    }
    assert_eq!(rebuild(&index, &table).await, Counts { orders: 5, written: 5, ..Counts::default() });
    table.delete(order_id(3));
    table.write(image(4, 2));
    assert_eq!(
        rebuild(&index, &table).await,
        Counts { orders: 4, written: 1, removed: 1, ..Counts::default() }
    );
    let left = index.rows().all_postings();
    let needed =
        index.rows().all_records().values().flat_map(search::postings::store::Record::postings).collect();
    assert_eq!(left, needed);
}
