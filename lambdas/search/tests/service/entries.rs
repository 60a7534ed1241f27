//! The entries of an order in the index: their number, and the change from those of an earlier version.

use domain::order::Order;
use search::adapters::memory::InMemoryRows;
use search::postings::PostingsIndex;
use search::postings::store::{MAX_DEBRIS, Record, Rows};
use search::store::{IndexOutcome, OrderIndex};
use search::term::{Field, Term};

use crate::support::{clock, customer_query, document, numbers, order_with, unrestricted_query};

type Index = PostingsIndex<InMemoryRows>;

/// The terms of an order as an earlier version indexed them: words and parts only.
fn record_of_an_earlier_version(order: &Order, products: &[(&str, &str)], terms: &[(Field, &str)]) -> Record {
    let document = document(order, products);
    Record {
        order_id: order.id,
        stamp: 7,
        audiences: document.audiences(),
        document: Some(document),
        terms: terms.iter().map(|(field, word)| Term { field: *field, word: (*word).to_owned() }).collect(),
        debris: Default::default(),
        expires_at: None,
    }
}

#[tokio::test]
async fn an_index_of_an_earlier_version_works_until_it_is_rebuilt() {
    let order = order_with(1, "u-1", "田中太郎", "ada.l@example.com", &["TEA-001"]);
    let products = [("TEA-001", "静岡産深蒸し緑茶 First Flush")];
    let old = record_of_an_earlier_version(
        &order,
        &products,
        &[
            (Field::Email, "ada.l@example.com"),
            (Field::Email, "ada.l"),
            (Field::Email, "ada"),
            (Field::Email, "example.com"),
            (Field::Email, "example"),
            (Field::CustomerName, "田中太郎"),
            (Field::CustomerName, "田"),
            (Field::CustomerName, "中"),
            (Field::CustomerName, "太"),
            (Field::CustomerName, "郎"),
            (Field::Total, "12.50"),
            (Field::Sku, "tea-001"),
            (Field::Sku, "tea"),
            (Field::Sku, "001"),
            (Field::ProductName, "静岡産深蒸し緑茶"),
            (Field::ProductName, "緑"),
            (Field::ProductName, "茶"),
            (Field::ProductName, "first"),
            (Field::ProductName, "flush"),
        ],
    );
    let rows = InMemoryRows::default();
    rows.put_postings(&old.postings().into_iter().collect::<Vec<_>>()).await.unwrap();
    assert!(rows.write_record(None, &old).await.unwrap());
    let index = PostingsIndex::new(rows, clock());
    for words in [
        "田中太郎",
        "田中",
        "太",
        "静岡産深蒸し緑茶",
        "静岡産深蒸し",
        "茶",
        "ada",
        "example",
        "12.50",
        "12,5",
        "tea",
        "001",
        "first flush",
        "tea-001 田中",
        "",
    ] {
        for query in [unrestricted_query(words), customer_query("u-1", words)] {
            assert_eq!(numbers(&index.search(&query).await.unwrap()), [1], "{words}");
        }
    }
    // Indexing it again, as the rebuild does, leaves what a new index has.
    let new = PostingsIndex::new(InMemoryRows::default(), clock());
    for (index, expected) in
        [(&index, IndexOutcome::Written), (&new, IndexOutcome::Written), (&index, IndexOutcome::Unchanged)]
    {
        assert_eq!(index.index(document(&order, &products)).await.unwrap(), expected);
    }
    assert_eq!(index.rows().all_postings(), new.rows().all_postings());
    let terms = |index: &Index| index.rows().all_records()[&order.id].terms.clone();
    assert_eq!(terms(&index), terms(&new));
    assert_eq!(numbers(&index.search(&unrestricted_query("緑茶 太郎")).await.unwrap()), [1]);
}

/// The figures in decision 16.
#[tokio::test]
async fn a_typical_order_has_few_entries() {
    let customer = "01a207e7-51d0-774b-bcce-b302099a8057";
    for (name, email, products, entries, bytes) in [
        (
            "Ada Lovelace",
            "ada.lovelace@example.com",
            ["Darjeeling First Flush", "Assam Second Flush"],
            24,
            4_700,
        ),
        (
            "田中 太郎",
            "taro.tanaka@example.com",
            ["静岡産 深蒸し緑茶 100g", "有機抹茶パウダー 50g"],
            39,
            7_700,
        ),
        ("김민수", "minsu.kim@example.com", ["제주 유기농 녹차 100g", "보성 세작 50g"], 34, 6_600),
        ("สมชาย ใจดี", "somchai@example.com", ["ชาเขียวมะลิ 100 กรัม", "ชาดำ 50 กรัม"], 46, 9_100),
    ] {
        let order = order_with(1, customer, name, email, &["TEA-001", "TEA-002"]);
        let document = document(&order, &[("TEA-001", products[0]), ("TEA-002", products[1])]);
        let index = PostingsIndex::new(InMemoryRows::default(), clock());
        index.index(document.clone()).await.unwrap();
        let postings = index.rows().all_postings();
        let size: usize = postings.iter().map(|posting| posting.partition.len() + posting.sort.len()).sum();
        assert_eq!(postings.len(), 2 * document.terms().len() + 2, "everybody and the customer");
        assert!(document.terms().len() <= entries && size <= bytes, "{name}");
    }
}

#[tokio::test]
async fn the_largest_order_is_indexed_renamed_and_removed_in_small_steps() {
    let skus: Vec<String> = (0..50).map(|number| format!("TEA-{number:03}")).collect();
    let skus: Vec<&str> = skus.iter().map(String::as_str).collect();
    let order = order_with(1, "client1.u-1", "田中太郎", "ada@example.com", &skus);
    let names = |first: u32| -> Vec<String> {
        let letter = |number: u32| char::from_u32(first + number).unwrap();
        (0..50).map(|product| (0..200).map(|place| letter(product * 200 + place)).collect()).collect()
    };
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    for names in [names(0x4e00), names(0x7500)] {
        let names: Vec<(&str, &str)> = skus.iter().copied().zip(names.iter().map(String::as_str)).collect();
        assert_eq!(index.index(document(&order, &names)).await.unwrap(), IndexOutcome::Written);
        let record = index.rows().all_records().remove(&order.id).unwrap();
        assert_eq!(index.rows().all_postings(), record.postings());
        let size = serde_json::to_string(&record).unwrap().len();
        assert!(size + MAX_DEBRIS * 200 < 400_000, "{size}");
    }
    index.remove(order.id).await.unwrap();
    assert!(index.rows().all_postings().is_empty());
    assert!(index.rows().all_records()[&order.id].document.is_none());
}
