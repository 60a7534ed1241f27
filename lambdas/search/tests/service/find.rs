//! Matching, ranking and paging of the index over rows, compared with the reference index.

use domain::order::OrderStatus;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use search::adapters::memory::{InMemoryIndex, InMemoryRows};
use search::postings::PostingsIndex;
use search::query::{Filters, Query};
use search::store::OrderIndex;

use crate::support::{
    clock, customer_query, document, image, numbers, order_with, start, unrestricted_query,
};

async fn index() -> PostingsIndex<InMemoryRows> {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    for (order, names) in [
        (
            order_with(1, "u-1", "Ada Lovelace", "ada@example.com", &["TEA-001"]),
            vec![("TEA-001", "Darjeeling")],
        ),
        (order_with(2, "u-2", "Adam Adason", "hello@example.org", &["MUG-7"]), vec![("MUG-7", "Mug of Ada")]),
        (order_with(3, "u-1", "Ada Lovelace", "ada@example.com", &["MUG-7"]), vec![("MUG-7", "Mug of Ada")]),
        (order_with(4, "client1.u-1", "Eve", "eve@lace.example", &["TEA-001", "MUG-7"]), vec![]),
    ] {
        index.index(document(&order, &names)).await.unwrap();
    }
    index
}

#[tokio::test]
async fn hits_are_sorted_by_rank_and_then_newest_first() {
    let index = index().await;
    for (words, expected) in [
        // E-mail address before name, exact before prefix match; then time.
        ("ada", vec![3, 1, 2]),
        ("adam", vec![2]),
        ("tea", vec![4, 1]),
        ("mug ada", vec![3, 2]),
        ("ADÁ  Lovelacé", vec![3, 1]),
        ("lace", vec![4]),
        ("example", vec![3, 2, 1]),
        ("12.50", vec![3, 2, 1]),
        ("25", vec![4]),
        ("u-1", vec![4, 3, 1]),
        ("a", vec![]),
        ("com", vec![]),
        ("", vec![4, 3, 2, 1]),
    ] {
        assert_eq!(numbers(&index.search(&unrestricted_query(words)).await.unwrap()), expected, "{words}");
    }
    assert_eq!(numbers(&index.search(&customer_query("u-1", "mug")).await.unwrap()), [3]);
    assert_eq!(numbers(&index.search(&customer_query("client1.u-1", "")).await.unwrap()), [4]);
}

#[tokio::test]
async fn the_search_for_a_word_that_all_orders_contain_is_truncated() {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    for number in 0..4_500 {
        let email = format!("mail{number}@example.com");
        let order = order_with(number, "u-1", "Ada Lovelace", &email, &["TEA-001"]);
        index.index(document(&order, &[])).await.unwrap();
    }
    let limit = |words: &str| Query { limit: 10, ..unrestricted_query(words) };
    let newest: Vec<u32> = (4_490..4_500).rev().collect();
    for words in ["ada", "lovelace ada"] {
        let page = index.search(&limit(words)).await.unwrap();
        assert_eq!((numbers(&page), page.truncated), (newest.clone(), true), "{words}");
        assert!(page.next.is_some());
    }
    // With one rare word or with dates, the search is complete.
    let page = index.search(&limit("ada mail17@example.com")).await.unwrap();
    assert_eq!((numbers(&page), page.truncated), (vec![17], false));
    let from = start() + SignedDuration::from_secs(30);
    let before = start() + SignedDuration::from_secs(32);
    let filters = Filters { from: Some(from), before: Some(before), ..Filters::default() };
    let page = index.search(&Query { filters, ..limit("ada") }).await.unwrap();
    assert_eq!((numbers(&page), page.truncated), (vec![31, 30], false));
    // A list is never truncated. A page without hits within the read limit of a request still has a next
    // cursor.
    let filters = Filters { status: Some(OrderStatus::Paid), ..Filters::default() };
    let (mut query, mut pages) = (Query { filters, ..limit("") }, 0);
    index
        .index(search::document::Document::from_order(&image(0, 3).order, 3, &Default::default()))
        .await
        .unwrap();
    let found = loop {
        let page = index.search(&query).await.unwrap();
        assert!(!page.truncated);
        pages += 1;
        match page.next {
            Some(next) => query.after = Some(next),
            None => break numbers(&page),
        }
    };
    assert_eq!((found, pages), (vec![0], 5));
}

#[tokio::test]
async fn orders_that_match_several_common_words_are_found() {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    let both = |number: u32| number % 40 == 7;
    for number in 0..9_000 {
        // Half contain Ada in the address, which ranks above a name, the others Lovelace; few contain both
        // names.
        let (name, email) = match number % 2 {
            _ if both(number) => ("Ada Lovelace", "x@example.com"),
            0 => ("Eve Hopper", "ada@example.com"),
            _ => ("Grace Lovelace", "x@example.com"),
        };
        index.index(document(&order_with(number, "u-1", name, email, &["TEA-001"]), &[])).await.unwrap();
    }
    let limited = |words: &str| Query { limit: 10, ..unrestricted_query(words) };
    let page = index.search(&limited("ada lovelace")).await.unwrap();
    let newest: Vec<u32> = (0..9_000).rev().filter(|number| both(*number)).take(10).collect();
    assert_eq!((numbers(&page), page.truncated), (newest, true));
    // So many orders match both words that the posting lists alone fill the page.
    let mut query = limited("grace lovelace");
    let mut expected = (0..9_000).rev().filter(|number| number % 2 == 1 && !both(*number));
    for _ in 0..3 {
        let page = index.search(&query).await.unwrap();
        let next: Vec<u32> = expected.by_ref().take(10).collect();
        assert_eq!((numbers(&page), page.truncated), (next, true));
        query.after = page.next;
    }
    // The date range contains too many orders to examine each, and four thousand newer orders contain the
    // word.
    let filters = Filters { before: Some(start() + SignedDuration::from_secs(1_100)), ..Filters::default() };
    let page = index.search(&Query { filters, limit: 100, ..unrestricted_query("hopper") }).await.unwrap();
    let expected: Vec<u32> = (900..1_100).rev().filter(|number| number % 2 == 0).collect();
    assert_eq!((numbers(&page), page.truncated), (expected, true));
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("ada"),
        Just("ad"),
        Just("adam"),
        Just("a"),
        Just("tea"),
        Just("te"),
        Just("tea-001"),
        Just("first"),
        Just("fl"),
        Just("ada@example.com"),
        Just("12.50"),
        Just("nobody"),
        Just("cust-1"),
        Just("01890a5d"),
    ];
    vec(word, 0..3).prop_map(|words| words.join(" "))
}

fn orders() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    vec((0..3_u8, 0..4_u8, 0..3_u8), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Both indexes return the same hits, page by page, with any filters.
    #[test]
    fn both_indexes_return_the_same_pages(
        orders in orders(),
        words in words(),
        limit in 1..12_usize,
        customer in proptest::option::of(0..3_u8),
        from in proptest::option::of(0..50_i64),
        before in proptest::option::of(0..50_i64),
        paid in any::<bool>(),
        min in proptest::option::of(1_200..2_600_u32),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (index, reference) =
            (PostingsIndex::new(InMemoryRows::default(), clock()), InMemoryIndex::default());
        for (number, (customer, name, product)) in orders.into_iter().enumerate() {
            let name = ["Ada", "Adam First", "Eve Tea", "A. Flush"][usize::from(name)];
            let skus = [vec!["TEA-001"], vec!["TEA-001", "MUG-7"], vec!["FLUTE"]][usize::from(product)].clone();
            let number = u32::try_from(number).unwrap();
            let mut order = order_with(number, &format!("cust-{customer}"), name, "ada@example.com", &skus);
            order.outcome = (number % 3 == 0).then_some(domain::order::Outcome::Paid);
            let document = document(&order, &[("TEA-001", "First Flush"), ("MUG-7", "Ada's mug")]);
            runtime.block_on(async {
                index.index(document.clone()).await.unwrap();
                reference.index(document).await.unwrap();
            });
        }
        let second = |second: i64| start() + SignedDuration::from_secs(second);
        let filters = Filters {
            status: paid.then_some(OrderStatus::Paid),
            from: from.map(second),
            before: before.map(second),
            min_amount: min,
            ..Filters::default()
        };
        let base = customer.map_or_else(
            || unrestricted_query(&words),
            |id| customer_query(&format!("cust-{id}"), &words),
        );
        let mut query = Query { filters, limit, ..base };
        let mut all = Vec::new();
        loop {
            let (page, expected) = runtime.block_on(async {
                (index.search(&query).await.unwrap(), reference.search(&query).await.unwrap())
            });
            prop_assert_eq!(&page.hits, &expected.hits);
            prop_assert_eq!(page.next.is_some(), expected.next.is_some());
            all.extend(page.hits.iter().map(|hit| hit.position));
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        prop_assert!(all.is_sorted_by(|one, next| one < next));
    }
}
