//! `search::store::OrderIndex`: searches return the newest version of every order, whatever the sequence of
//! writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::order::{Order, OrderStatus, Outcome};
use domain::{OrderId, ProductName, Sku};
use futures::future::try_join_all;
use search::document::{Audience, Document};
use search::query::{Filters, Page, Query};
use search::store::{IndexOutcome, OrderIndex};
use search::term::{Field, QueryWord};

use crate::check::{contract_suite, same};
use crate::sample::{customer, order, order_id, sku, time};

/// An empty index.
#[derive(Clone)]
pub struct World {
    /// The index under test.
    pub index: Arc<dyn OrderIndex>,
}

contract_suite!(World:
    an_order_is_found_by_its_words,
    an_older_or_equal_version_changes_nothing,
    known_product_names_are_kept_and_changed_ones_are_replaced,
    a_removed_order_stays_removed,
    the_newest_of_concurrent_writes_wins,
    pages_are_ordered_by_rank_and_time,
    filters_are_applied,
    each_audience_finds_only_its_own_orders,
);

/// The document of an order of customer `by` at `version`. Orders are placed `number` seconds after a fixed
/// time.
fn document(number: u32, by: u32, version: u64, tea: &[(u32, &str)]) -> anyhow::Result<Document> {
    let (order, _) = order(number, by, time(i64::from(number) * 1_000_000)?)?;
    let outcome = (version > 1).then_some(Outcome::Paid);
    let name = |(number, name): &(u32, &str)| {
        Ok::<(Sku, ProductName), anyhow::Error>((sku(*number)?, name.parse()?))
    };
    let names = tea.iter().map(name).collect::<anyhow::Result<_>>()?;
    Ok(Document::from_order(&Order { outcome, ..order }, version, &names))
}

fn query(words: &str) -> Query {
    Query {
        audience: Audience::All,
        words: QueryWord::parse_all(words),
        filters: Filters::default(),
        limit: 100,
        after: None,
    }
}

fn ids(page: &Page) -> Vec<OrderId> {
    page.hits.iter().map(|hit| hit.document.order_id).collect()
}

impl World {
    async fn search(&self, words: &str) -> anyhow::Result<Vec<OrderId>> {
        Ok(ids(&self.index.search(&query(words)).await?))
    }
}

async fn an_order_is_found_by_its_words(world: &World) -> anyhow::Result<()> {
    same("before", world.search("ada").await?, vec![])?;
    let document = document(1, 1, 1, &[(1, "Thé Vert 静岡緑茶")])?;
    same("a new one", world.index.index(document.clone()).await?, IndexOutcome::Written)?;
    for words in [
        "ada",
        "LOVE",
        "ada@example.com",
        "tea-001",
        "the ver",
        "cust-1",
        "37.50",
        "€37.50",
        "adalovelace",
        "緑茶",
        "茶",
        &order_id(1).to_string(),
    ] {
        same(words, world.search(words).await?, vec![order_id(1)])?;
    }
    for words in ["a", "vertx", "ada nobody", "tea-003", "岡茶"] {
        same(words, world.search(words).await?, vec![])?;
    }
    let page = world.index.search(&query("ada vert")).await?;
    let hit = page.hits.first().ok_or_else(|| anyhow::anyhow!("nothing was found"))?;
    same("what is shown", &hit.document, &document)?;
    same("where", hit.fields.clone(), BTreeSet::from([Field::Email, Field::CustomerName, Field::ProductName]))
}

async fn an_older_or_equal_version_changes_nothing(world: &World) -> anyhow::Result<()> {
    let paid =
        Query { filters: Filters { status: Some(OrderStatus::Paid), ..Filters::default() }, ..query("ada") };
    for (version, expected) in [
        (2, IndexOutcome::Written),
        (1, IndexOutcome::Unchanged),
        (2, IndexOutcome::Unchanged),
        (3, IndexOutcome::Written),
    ] {
        same("indexed", world.index.index(document(1, 1, version, &[])?).await?, expected)?;
        same("paid", ids(&world.index.search(&paid).await?), vec![order_id(1)])?;
    }
    Ok(())
}

async fn known_product_names_are_kept_and_changed_ones_are_replaced(world: &World) -> anyhow::Result<()> {
    world.index.index(document(1, 1, 1, &[(1, "Darjeeling")])?).await?;
    // The inventory is unavailable, and later returns the name of the other product.
    world.index.index(document(1, 1, 2, &[])?).await?;
    same("kept", world.search("darjeeling").await?, vec![order_id(1)])?;
    same("joined", world.index.index(document(1, 1, 1, &[(2, "Assam")])?).await?, IndexOutcome::Written)?;
    same("both", world.search("darjeeling assam").await?, vec![order_id(1)])?;
    world.index.index(document(1, 1, 2, &[(1, "Ceylon")])?).await?;
    same("renamed", world.search("ceylon assam").await?, vec![order_id(1)])?;
    same("the old name", world.search("darjeeling").await?, vec![])?;
    // Renamed back.
    world.index.index(document(1, 1, 2, &[(1, "Darjeeling")])?).await?;
    same("again", world.search("darjeeling").await?, vec![order_id(1)])?;
    same("the other", world.search("ceylon").await?, vec![])
}

async fn a_removed_order_stays_removed(world: &World) -> anyhow::Result<()> {
    world.index.index(document(1, 1, 1, &[])?).await?;
    for _ in 0..2 {
        world.index.remove(order_id(1)).await?;
        same("gone", world.search("").await?, vec![])?;
        same("late", world.index.index(document(1, 1, 2, &[])?).await?, IndexOutcome::Removed)?;
        same("still gone", world.search("ada").await?, vec![])?;
    }
    world.index.remove(order_id(2)).await?;
    same("never there", world.index.index(document(2, 1, 1, &[])?).await?, IndexOutcome::Removed)
}

async fn the_newest_of_concurrent_writes_wins(world: &World) -> anyhow::Result<()> {
    let names = ["Darjeeling", "Assam", "Ceylon"];
    let write = |number: usize| {
        let version = if number == 7 { 3 } else { u64::from(number.is_multiple_of(2)) + 1 };
        let name = names.iter().cycle().nth(number).copied().unwrap_or_default();
        (version, name)
    };
    let writers = (0..10).map(|number| async move {
        let (version, name) = write(number);
        world.index.index(document(1, 1, version, &[(1, name)])?).await
    });
    try_join_all(writers).await?;
    let page = world.index.search(&query("ada")).await?;
    same("the version", page.hits.iter().map(|hit| hit.document.version).collect(), vec![3])?;
    let (_, name) = write(7);
    for other in names {
        let expected = if other == name { vec![order_id(1)] } else { vec![] };
        same(other, world.search(other).await?, expected)?;
    }
    Ok(())
}

async fn pages_are_ordered_by_rank_and_time(world: &World) -> anyhow::Result<()> {
    for number in 1..=7 {
        // The third matches a whole word, the others a prefix.
        let name = if number == 3 { "Assam" } else { "Assamese" };
        world.index.index(document(number, 1, 1, &[(1, name)])?).await?;
    }
    for (words, expected) in
        [("assam", [3, 7, 6, 5, 4, 2, 1]), ("ada", [7, 6, 5, 4, 3, 2, 1]), ("", [7, 6, 5, 4, 3, 2, 1])]
    {
        for limit in [1, 2, 3, 7, 8] {
            let (mut found, mut next) = (Vec::new(), Query { limit, ..query(words) });
            loop {
                let page = world.index.search(&next).await?;
                anyhow::ensure!(page.hits.len() <= limit && !page.truncated, "{page:?}");
                anyhow::ensure!(!page.hits.is_empty(), "an empty page follows a page of {limit}");
                found.extend(ids(&page));
                anyhow::ensure!(found.len() <= 7, "orders are repeated: {found:?}");
                next.after = page.next;
                if next.after.is_none() {
                    break;
                }
            }
            same(words, found, expected.map(order_id).to_vec())?;
        }
    }
    Ok(())
}

async fn filters_are_applied(world: &World) -> anyhow::Result<()> {
    for number in 1..=4 {
        world.index.index(document(number, 1, u64::from(number), &[])?).await?;
    }
    let at = |number: i64| time(number * 1_000_000);
    for (filters, expected) in [
        (Filters { status: Some(OrderStatus::Placed), ..Filters::default() }, vec![1]),
        (Filters { from: Some(at(2)?), ..Filters::default() }, vec![4, 3, 2]),
        (Filters { before: Some(at(2)?), ..Filters::default() }, vec![1]),
        (Filters { from: Some(at(2)?), before: Some(at(4)?), ..Filters::default() }, vec![3, 2]),
        (Filters { from: Some(at(4)?), before: Some(at(2)?), ..Filters::default() }, vec![]),
        (Filters { min_amount: Some(3750), max_amount: Some(3750), ..Filters::default() }, vec![4, 3, 2, 1]),
        (Filters { min_amount: Some(3751), ..Filters::default() }, vec![]),
        (Filters { max_amount: Some(3749), ..Filters::default() }, vec![]),
        (Filters { currency: Some("USD".to_owned().try_into()?), ..Filters::default() }, vec![]),
    ] {
        for words in ["ada", ""] {
            let page = world.index.search(&Query { filters: filters.clone(), ..query(words) }).await?;
            same(&format!("{filters:?}"), ids(&page), expected.iter().copied().map(order_id).collect())?;
        }
    }
    Ok(())
}

async fn each_audience_finds_only_its_own_orders(world: &World) -> anyhow::Result<()> {
    world.index.index(document(1, 1, 1, &[])?).await?;
    world.index.index(document(2, 2, 1, &[])?).await?;
    let mut of_a_partner = document(3, 1, 1, &[])?;
    of_a_partner.customer_id = "client1.cust-1".parse()?;
    world.index.index(of_a_partner).await?;
    for (audience, expected) in [
        (Audience::All, vec![3, 2, 1]),
        (Audience::Customer(customer(1)?), vec![1]),
        (Audience::Customer(customer(2)?), vec![2]),
        (Audience::Customer("client1.cust-1".parse()?), vec![3]),
        (Audience::Partner("client1".parse()?), vec![3]),
        (Audience::Partner("client".parse()?), vec![]),
        (Audience::Partner(customer(1)?), vec![]),
    ] {
        for words in ["ada", "", "tea-001"] {
            let page = world.index.search(&Query { audience: audience.clone(), ..query(words) }).await?;
            same(&format!("{audience:?}"), ids(&page), expected.iter().copied().map(order_id).collect())?;
        }
    }
    Ok(())
}
