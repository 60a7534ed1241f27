//! What is found, in which order, on which page: the index over rows, beside the one that looks at everything.

use domain::order::OrderStatus;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use search::adapters::memory::{InMemoryIndex, InMemoryRows};
use search::postings::PostingsIndex;
use search::query::{Filters, Query};
use search::store::OrderIndex;

use crate::support::{clock, customers, document, everybodys, image, numbers, order_of, start};

async fn index() -> PostingsIndex<InMemoryRows> {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    for (order, names) in [
        (
            order_of(1, "u-1", "Ada Lovelace", "ada@example.com", &["TEA-001"]),
            vec![("TEA-001", "Darjeeling")],
        ),
        (order_of(2, "u-2", "Adam Adason", "hello@example.org", &["MUG-7"]), vec![("MUG-7", "Mug of Ada")]),
        (order_of(3, "u-1", "Ada Lovelace", "ada@example.com", &["MUG-7"]), vec![("MUG-7", "Mug of Ada")]),
        (order_of(4, "client1.u-1", "Eve", "eve@lace.example", &["TEA-001", "MUG-7"]), vec![]),
    ] {
        index.index(document(&order, &names)).await.unwrap();
    }
    index
}

#[tokio::test]
async fn the_best_comes_first_and_then_the_newest() {
    let index = index().await;
    for (words, expected) in [
        // E-mail before name, whole before the start of a word; then time.
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
        assert_eq!(numbers(&index.search(&everybodys(words)).await.unwrap()), expected, "{words}");
    }
    assert_eq!(numbers(&index.search(&customers("u-1", "mug")).await.unwrap()), [3]);
    assert_eq!(numbers(&index.search(&customers("client1.u-1", "")).await.unwrap()), [4]);
}

#[tokio::test]
async fn a_word_that_all_have_is_cut_and_says_so() {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    for number in 0..4_500 {
        let email = format!("mail{number}@example.com");
        let order = order_of(number, "u-1", "Ada Lovelace", &email, &["TEA-001"]);
        index.index(document(&order, &[])).await.unwrap();
    }
    let limit = |words: &str| Query { limit: 10, ..everybodys(words) };
    let newest: Vec<u32> = (4_490..4_500).rev().collect();
    for words in ["ada", "lovelace ada"] {
        let page = index.search(&limit(words)).await.unwrap();
        assert_eq!((numbers(&page), page.truncated), (newest.clone(), true), "{words}");
        assert!(page.next.is_some());
    }
    // One rare word makes it whole again, and so do dates.
    let page = index.search(&limit("ada mail17@example.com")).await.unwrap();
    assert_eq!((numbers(&page), page.truncated), (vec![17], false));
    let from = start() + SignedDuration::from_secs(30);
    let before = start() + SignedDuration::from_secs(32);
    let filters = Filters { from: Some(from), before: Some(before), ..Filters::default() };
    let page = index.search(&Query { filters, ..limit("ada") }).await.unwrap();
    assert_eq!((numbers(&page), page.truncated), (vec![31, 30], false));
    // A list is never cut. A page that finds nothing within what one request may read says where to go on.
    let filters = Filters { status: Some(OrderStatus::Paid), ..Filters::default() };
    let (mut query, mut pages) = (Query { filters, ..limit("") }, 0);
    index.index(search::document::Document::of(&image(0, 3).order, 3, &Default::default())).await.unwrap();
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
async fn words_that_many_have_are_found_together() {
    let index = PostingsIndex::new(InMemoryRows::default(), clock());
    let both = |number: u32| number % 40 == 7;
    for number in 0..9_000 {
        // Most have Ada in their address, which is a better hit than a name, or Lovelace; few have both names.
        let (name, email) = match number % 2 {
            _ if both(number) => ("Ada Lovelace", "x@example.com"),
            0 => ("Eve Hopper", "ada@example.com"),
            _ => ("Grace Lovelace", "x@example.com"),
        };
        index.index(document(&order_of(number, "u-1", name, email, &["TEA-001"]), &[])).await.unwrap();
    }
    let of = |words: &str| Query { limit: 10, ..everybodys(words) };
    let page = index.search(&of("ada lovelace")).await.unwrap();
    let newest: Vec<u32> = (0..9_000).rev().filter(|number| both(*number)).take(10).collect();
    assert_eq!((numbers(&page), page.truncated), (newest, true));
    // Enough have these two for their lists alone to tell.
    let mut query = of("grace lovelace");
    let mut expected = (0..9_000).rev().filter(|number| number % 2 == 1 && !both(*number));
    for _ in 0..3 {
        let page = index.search(&query).await.unwrap();
        let some: Vec<u32> = expected.by_ref().take(10).collect();
        assert_eq!((numbers(&page), page.truncated), (some, true));
        query.after = page.next;
    }
    // More days than can be looked at order by order, and long ago: four thousand others have the word since.
    let filters = Filters { before: Some(start() + SignedDuration::from_secs(1_100)), ..Filters::default() };
    let page = index.search(&Query { filters, limit: 100, ..everybodys("hopper") }).await.unwrap();
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

    /// Page by page, with any filter, both find the same.
    #[test]
    fn both_indexes_give_the_same_pages(
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
        let (index, other) = (PostingsIndex::new(InMemoryRows::default(), clock()), InMemoryIndex::default());
        for (number, (customer, name, product)) in orders.into_iter().enumerate() {
            let name = ["Ada", "Adam First", "Eve Tea", "A. Flush"][usize::from(name)];
            let skus = [vec!["TEA-001"], vec!["TEA-001", "MUG-7"], vec!["FLUTE"]][usize::from(product)].clone();
            let number = u32::try_from(number).unwrap();
            let mut order = order_of(number, &format!("cust-{customer}"), name, "ada@example.com", &skus);
            order.outcome = (number % 3 == 0).then_some(domain::order::Outcome::Paid);
            let document = document(&order, &[("TEA-001", "First Flush"), ("MUG-7", "Ada's mug")]);
            runtime.block_on(async {
                index.index(document.clone()).await.unwrap();
                other.index(document).await.unwrap();
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
        let base = customer.map_or_else(|| everybodys(&words), |id| customers(&format!("cust-{id}"), &words));
        let mut query = Query { filters, limit, ..base };
        let mut all = Vec::new();
        loop {
            let (one, two) = runtime.block_on(async {
                (index.search(&query).await.unwrap(), other.search(&query).await.unwrap())
            });
            prop_assert_eq!(&one.hits, &two.hits);
            prop_assert_eq!(one.next.is_some(), two.next.is_some());
            all.extend(one.hits.iter().map(|hit| hit.position));
            let Some(next) = one.next else { break };
            query.after = Some(next);
        }
        prop_assert!(all.is_sorted_by(|one, next| one < next));
    }
}
