//! `inventory::store::Products`: products and deliveries.

use domain::{Sku, TaxRate};
use futures::future::join_all;
use inventory::product::{Offer, Product};
use inventory::store::DeliveryOutcome;
use platform::http::Precondition;

use crate::check::{contract_suite, same};
pub use crate::inventory_world::World;
use crate::sample::{euros, name, sku};

contract_suite!(World:
    a_new_product_has_no_stock_and_an_update_keeps_the_stock,
    product_updates_are_conditional,
    a_delivery_is_counted_once,
    concurrent_repeats_of_a_delivery_are_counted_once,
    concurrent_deliveries_are_all_counted,
    a_delivery_requires_a_known_product,
    deliveries_stop_at_the_maximum_stock,
    every_product_is_listed_exactly_once,
);

async fn a_new_product_has_no_stock_and_an_update_keeps_the_stock(world: &World) -> anyhow::Result<()> {
    let sku = sku(1)?;
    same("a missing product", world.products.get(&sku).await?, None)?;
    let new = Product {
        sku: sku.clone(),
        name: name()?,
        price: euros(0)?,
        tax_rate: Some(TaxRate::try_from(700)?),
        revision: 1,
        available: 0,
        held: 0,
        sold: 0,
    };
    let put = world.products.put(&sku, &offer(&new), Precondition::None).await?;
    same("a new product", put, Some(new.clone()))?;
    same("the same, read", world.products.get(&sku).await?, Some(new.clone()))?;
    let counted = world.products.record_delivery(&sku, &"d-1".parse()?, 7).await?;
    same("a delivery", counted, DeliveryOutcome::Recorded)?;
    let changed = Product {
        name: "Assam “FTGFOP1” ☕".parse()?,
        price: euros(99_999_999)?,
        tax_rate: None,
        revision: 2,
        available: 7,
        ..new
    };
    let put = world.products.put(&sku, &offer(&changed), Precondition::None).await?;
    same("renamed and repriced", put, Some(changed.clone()))?;
    same("the same, read", world.products.get(&sku).await?, Some(changed))
}

fn offer(product: &Product) -> Offer {
    Offer { name: product.name.clone(), price: product.price, tax_rate: product.tax_rate }
}

async fn product_updates_are_conditional(world: &World) -> anyhow::Result<()> {
    let sku = sku(1)?;
    let put = async |condition: Precondition| {
        let offer = Offer { name: name()?, price: euros(100)?, tax_rate: None };
        let put = world.products.put(&sku, &offer, condition).await?;
        anyhow::Ok(put.map(|product| product.revision))
    };
    same("any revision of a missing product", put(Precondition::Present).await?, None)?;
    same("a revision of a missing product", put(Precondition::Revision(1)).await?, None)?;
    same("nothing was written", world.products.get(&sku).await?, None)?;
    same("a new one", put(Precondition::Absent).await?, Some(1))?;
    same("a new one again", put(Precondition::Absent).await?, None)?;
    same("its revision", put(Precondition::Revision(1)).await?, Some(2))?;
    same("its former revision", put(Precondition::Revision(1)).await?, None)?;
    same("any", put(Precondition::Present).await?, Some(3))?;
    same("without a condition", put(Precondition::None).await?, Some(4))
}

async fn a_delivery_is_counted_once(world: &World) -> anyhow::Result<()> {
    let (tea, other) = (world.create_product(1, 0).await?, world.create_product(2, 0).await?);
    let (first, second) = ("d-1".parse()?, "d-2".parse()?);
    let products = &world.products;
    for _ in 0..3 {
        same("a delivery", products.record_delivery(&tea, &first, 5).await?, DeliveryOutcome::Recorded)?;
    }
    for quantity in [4, 6, 0] {
        let answer = products.record_delivery(&tea, &first, quantity).await?;
        same("the same delivery with another quantity", answer, DeliveryOutcome::QuantityMismatch)?;
    }
    world.ensure_stock(&tea, [5, 0, 0]).await?;
    same("another delivery", products.record_delivery(&tea, &second, 2).await?, DeliveryOutcome::Recorded)?;
    same(
        "the same delivery id for another product",
        products.record_delivery(&other, &first, 9).await?,
        DeliveryOutcome::Recorded,
    )?;
    world.ensure_stock(&tea, [7, 0, 0]).await?;
    world.ensure_stock(&other, [9, 0, 0]).await
}

async fn concurrent_repeats_of_a_delivery_are_counted_once(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 0).await?;
    let delivery = "d-1".parse()?;
    for answer in join_all((0..20).map(|_| world.products.record_delivery(&tea, &delivery, 5))).await {
        same("a repeat", answer?, DeliveryOutcome::Recorded)?;
    }
    world.ensure_stock(&tea, [5, 0, 0]).await
}

async fn concurrent_deliveries_are_all_counted(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 0).await?;
    let deliver =
        async |number: u32| world.products.record_delivery(&tea, &format!("d-{number}").parse()?, 5).await;
    for answer in join_all((0..20).map(deliver)).await {
        same("a delivery", answer?, DeliveryOutcome::Recorded)?;
    }
    world.ensure_stock(&tea, [100, 0, 0]).await
}

async fn a_delivery_requires_a_known_product(world: &World) -> anyhow::Result<()> {
    let (sku, delivery) = (sku(1)?, "d-1".parse()?);
    same("unknown", world.products.record_delivery(&sku, &delivery, 5).await?, DeliveryOutcome::Rejected)?;
    same("no product is created", world.products.get(&sku).await?, None)?;
    world.set_price(&sku, euros(1250)?).await?;
    // A refused delivery can be repeated.
    same("known now", world.products.record_delivery(&sku, &delivery, 6).await?, DeliveryOutcome::Recorded)?;
    world.ensure_stock(&sku, [6, 0, 0]).await
}

async fn deliveries_stop_at_the_maximum_stock(world: &World) -> anyhow::Result<()> {
    let tea = world.create_product(1, 999_999_990).await?;
    let deliver =
        async |name: &str, quantity| world.products.record_delivery(&tea, &name.parse()?, quantity).await;
    same("one too many", deliver("d-1", 11).await?, DeliveryOutcome::Rejected)?;
    world.ensure_stock(&tea, [999_999_990, 0, 0]).await?;
    same("up to a billion", deliver("d-1", 10).await?, DeliveryOutcome::Recorded)?;
    same("and no more", deliver("d-2", 1).await?, DeliveryOutcome::Rejected)?;
    same("the last one again", deliver("d-1", 10).await?, DeliveryOutcome::Recorded)?;
    world.ensure_stock(&tea, [1_000_000_000, 0, 0]).await
}

async fn every_product_is_listed_exactly_once(world: &World) -> anyhow::Result<()> {
    let none = world.products.list(None, 10).await?;
    same("nothing is sold", (none.products.len(), none.next), (0, None))?;
    let mut all = Vec::new();
    for number in 1..=7 {
        all.push(world.create_product(number, number).await?);
    }
    for limit in [1, 2, 3, 7, 8] {
        let mut found: Vec<Sku> = Vec::new();
        let mut after: Option<Sku> = None;
        loop {
            let page = world.products.list(after.as_ref(), limit).await?;
            anyhow::ensure!(page.products.len() <= usize::try_from(limit)?, "more than {limit} on a page");
            anyhow::ensure!(!page.products.is_empty(), "an empty page follows a page of {limit}");
            found.extend(page.products.into_iter().map(|product| product.sku));
            anyhow::ensure!(found.len() <= all.len(), "products are repeated: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_unstable();
        same(&format!("in pages of {limit}"), found, all.clone())?;
    }
    Ok(())
}
