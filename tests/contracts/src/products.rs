//! `inventory::store::Products`: products and deliveries.

use domain::{Sku, TaxRate};
use futures::future::join_all;
use inventory::product::{Offer, Product};
use inventory::store::DeliveryOutcome;
use platform::http::Precondition;

use crate::check::{family, same};
pub use crate::inventory_world::World;
use crate::sample::{euros, name, sku};

family!(World:
    a_new_product_has_no_stock_and_a_known_one_keeps_its_own,
    a_product_changes_on_condition,
    a_delivery_counts_once,
    of_many_tellings_of_a_delivery_one_counts,
    what_is_not_sold_is_not_delivered,
    no_more_is_delivered_than_can_be_counted,
    products_come_once_each_in_pages,
);

async fn a_new_product_has_no_stock_and_a_known_one_keeps_its_own(world: &World) -> anyhow::Result<()> {
    let sku = sku(1)?;
    same("a product that is not there", world.products.get(&sku).await?, None)?;
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
    same("renamed and priced anew", put, Some(changed.clone()))?;
    same("the same, read", world.products.get(&sku).await?, Some(changed))
}

fn offer(product: &Product) -> Offer {
    Offer { name: product.name.clone(), price: product.price, tax_rate: product.tax_rate }
}

async fn a_product_changes_on_condition(world: &World) -> anyhow::Result<()> {
    let sku = sku(1)?;
    let put = async |condition: Precondition| {
        let offer = Offer { name: name()?, price: euros(100)?, tax_rate: None };
        let put = world.products.put(&sku, &offer, condition).await?;
        anyhow::Ok(put.map(|product| product.revision))
    };
    same("any, where none is", put(Precondition::Present).await?, None)?;
    same("a revision, where none is", put(Precondition::Revision(1)).await?, None)?;
    same("nothing was written", world.products.get(&sku).await?, None)?;
    same("a new one", put(Precondition::Absent).await?, Some(1))?;
    same("a new one, once more", put(Precondition::Absent).await?, None)?;
    same("its revision", put(Precondition::Revision(1)).await?, Some(2))?;
    same("its former revision", put(Precondition::Revision(1)).await?, None)?;
    same("any", put(Precondition::Present).await?, Some(3))?;
    same("without a condition", put(Precondition::None).await?, Some(4))
}

async fn a_delivery_counts_once(world: &World) -> anyhow::Result<()> {
    let (tea, other) = (world.product(1, 0).await?, world.product(2, 0).await?);
    let (first, second) = ("d-1".parse()?, "d-2".parse()?);
    let products = &world.products;
    for _ in 0..3 {
        same("a delivery", products.record_delivery(&tea, &first, 5).await?, DeliveryOutcome::Recorded)?;
    }
    for quantity in [4, 6, 0] {
        let answer = products.record_delivery(&tea, &first, quantity).await?;
        same("the same of another quantity", answer, DeliveryOutcome::QuantityMismatch)?;
    }
    world.stock_is(&tea, [5, 0, 0]).await?;
    same("another delivery", products.record_delivery(&tea, &second, 2).await?, DeliveryOutcome::Recorded)?;
    same("the same name", products.record_delivery(&other, &first, 9).await?, DeliveryOutcome::Recorded)?;
    world.stock_is(&tea, [7, 0, 0]).await?;
    world.stock_is(&other, [9, 0, 0]).await
}

async fn of_many_tellings_of_a_delivery_one_counts(world: &World) -> anyhow::Result<()> {
    let tea = world.product(1, 0).await?;
    let delivery = "d-1".parse()?;
    // One that met another may fail; it is told again.
    join_all((0..20).map(|_| world.products.record_delivery(&tea, &delivery, 5))).await;
    same("told again", world.products.record_delivery(&tea, &delivery, 5).await?, DeliveryOutcome::Recorded)?;
    world.stock_is(&tea, [5, 0, 0]).await
}

async fn what_is_not_sold_is_not_delivered(world: &World) -> anyhow::Result<()> {
    let (sku, delivery) = (sku(1)?, "d-1".parse()?);
    same("unknown", world.products.record_delivery(&sku, &delivery, 5).await?, DeliveryOutcome::Rejected)?;
    same("nothing is made of it", world.products.get(&sku).await?, None)?;
    world.priced(&sku, euros(1250)?).await?;
    // What was refused does not count as told.
    same("known now", world.products.record_delivery(&sku, &delivery, 6).await?, DeliveryOutcome::Recorded)?;
    world.stock_is(&sku, [6, 0, 0]).await
}

async fn no_more_is_delivered_than_can_be_counted(world: &World) -> anyhow::Result<()> {
    let tea = world.product(1, 999_999_990).await?;
    let deliver =
        async |name: &str, quantity| world.products.record_delivery(&tea, &name.parse()?, quantity).await;
    same("one too many", deliver("d-1", 11).await?, DeliveryOutcome::Rejected)?;
    world.stock_is(&tea, [999_999_990, 0, 0]).await?;
    same("up to a billion", deliver("d-1", 10).await?, DeliveryOutcome::Recorded)?;
    same("and no more", deliver("d-2", 1).await?, DeliveryOutcome::Rejected)?;
    same("the last one again", deliver("d-1", 10).await?, DeliveryOutcome::Recorded)?;
    world.stock_is(&tea, [1_000_000_000, 0, 0]).await
}

async fn products_come_once_each_in_pages(world: &World) -> anyhow::Result<()> {
    let none = world.products.list(None, 10).await?;
    same("nothing is sold", (none.products.len(), none.next), (0, None))?;
    let mut all = Vec::new();
    for number in 1..=7 {
        all.push(world.product(number, number).await?);
    }
    for limit in [1, 2, 3, 7, 8] {
        let mut found: Vec<Sku> = Vec::new();
        let mut after: Option<Sku> = None;
        loop {
            let page = world.products.list(after.as_ref(), limit).await?;
            anyhow::ensure!(page.products.len() <= usize::try_from(limit)?, "more than {limit} on a page");
            found.extend(page.products.into_iter().map(|product| product.sku));
            anyhow::ensure!(found.len() <= all.len(), "products come again: {found:?}");
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
