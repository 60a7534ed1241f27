//! `inventory::import::store::Stock`: the rows of imports, each applied once.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{DeliveryId, Sku, TaxRate};
use futures::future::try_join_all;
use inventory::import::apply::BATCH_SIZE;
use inventory::import::row::RowError;
use inventory::import::store::{Change, CurrentState, DedupMarker, ProductChange, Stock};
use inventory::product::{MAX_STOCK, Offer, Product};
use inventory::store::{DeliveryOutcome, Products};
use platform::http::Precondition;

use crate::check::{contract_suite, same};
use crate::sample::{euros, name, sku};

/// Stores what the ports no longer write.
#[async_trait]
pub trait EarlierRelease: Send + Sync {
    /// Stores a product without a revision, whose name, price and stock are those of `product`.
    async fn store(&self, product: &Product) -> anyhow::Result<()>;
}

/// An empty inventory.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub stock: Arc<dyn Stock>,
    /// The products of the same inventory.
    pub products: Arc<dyn Products>,
    /// A release of the inventory from before revisions.
    pub earlier: Arc<dyn EarlierRelease>,
}

contract_suite!(World:
    reads_return_products_and_markers,
    a_row_is_applied_once,
    a_rejected_row_leaves_only_a_marker,
    a_row_that_changes_nothing_leaves_only_a_marker,
    a_delivery_of_the_same_name_counts_as_a_marker,
    a_new_product_requires_a_missing_one,
    a_product_changes_only_at_the_revision_that_was_read,
    a_product_without_a_revision_changes_only_while_it_has_none,
    stock_stops_at_the_maximum,
    rows_are_written_atomically,
    concurrent_runs_apply_a_row_once,
);

/// The identity of a file.
fn file(number: u32) -> anyhow::Result<DeliveryId> {
    Ok(format!("import.{number}").parse()?)
}

fn offer(minor_units: u32) -> anyhow::Result<Offer> {
    Ok(Offer { name: name()?, price: euros(minor_units)?, tax_rate: None })
}

/// The row of a product: `price` in cents, if the row changes it.
pub(crate) fn row(
    sku: &Sku,
    expected_revision: Option<u64>,
    price: Option<u32>,
    quantity: u32,
) -> anyhow::Result<Change> {
    let product = ProductChange { expected_revision, offer: price.map(offer).transpose()?, quantity };
    let marker = DedupMarker { quantity, line: 2, file: "incoming/tea.csv".to_owned(), rejection: None };
    Ok(Change { sku: sku.clone(), marker, product: Some(product) })
}

impl World {
    async fn state(&self, of: &DeliveryId, sku: &Sku) -> anyhow::Result<CurrentState> {
        let mut states = self.stock.read(of, std::slice::from_ref(sku)).await?;
        Ok(states.remove(sku).unwrap_or_default())
    }

    /// Price in cents, revision and available stock of a product.
    async fn product(&self, sku: &Sku) -> anyhow::Result<Option<(u32, u64, u32)>> {
        let product = self.products.get(sku).await?;
        Ok(product.map(|product| (product.price.minor_units(), product.revision, product.available)))
    }

    /// Creates a product at a price of 1 cent, by the first file.
    async fn create(&self, number: u32, units: u32) -> anyhow::Result<Sku> {
        let sku = sku(number)?;
        let written = self.stock.write(&file(0)?, &[row(&sku, None, Some(1), units)?]).await?;
        same("a new product", written, true)?;
        Ok(sku)
    }
}

async fn reads_return_products_and_markers(world: &World) -> anyhow::Result<()> {
    let tea = sku(1)?;
    same("nothing", world.state(&file(1)?, &tea).await?, CurrentState::default())?;
    let mut change = row(&tea, None, Some(7), 5)?;
    let taxed = Offer { tax_rate: Some(TaxRate::try_from(700)?), ..offer(7)? };
    change.product = change.product.map(|product| ProductChange { offer: Some(taxed), ..product });
    same("a new product", world.stock.write(&file(1)?, std::slice::from_ref(&change)).await?, true)?;
    let product = Product {
        sku: tea.clone(),
        name: name()?,
        price: euros(7)?,
        tax_rate: Some(TaxRate::try_from(700)?),
        revision: 1,
        available: 5,
        held: 0,
        sold: 0,
    };
    same("read", world.products.get(&tea).await?, Some(product.clone()))?;
    let state = CurrentState { product: Some(product.clone()), marker: Some(change.marker) };
    same("of this file", world.state(&file(1)?, &tea).await?, state)?;
    let state = CurrentState { product: Some(product.clone()), marker: None };
    same("of another file", world.state(&file(2)?, &tea).await?, state)?;
    // Neither a tax rate nor more stock.
    same("changed", world.stock.write(&file(2)?, &[row(&tea, Some(1), Some(8), 0)?]).await?, true)?;
    let changed = Product { price: euros(8)?, tax_rate: None, revision: 2, ..product };
    same("read", world.products.get(&tea).await?, Some(changed.clone()))?;
    // More stock only, which is not a new revision.
    same("delivered", world.stock.write(&file(3)?, &[row(&tea, Some(2), None, 3)?]).await?, true)?;
    same("read", world.products.get(&tea).await?, Some(Product { available: 8, ..changed }))
}

async fn a_row_is_applied_once(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, 5).await?;
    let again = row(&tea, Some(1), None, 3)?;
    same("a row", world.stock.write(&file(1)?, std::slice::from_ref(&again)).await?, true)?;
    for change in [&again, &row(&tea, Some(1), Some(9), 4)?] {
        let written = world.stock.write(&file(1)?, std::slice::from_ref(change)).await?;
        same("another row of the file for the product", written, false)?;
        same("the product", world.product(&tea).await?, Some((1, 1, 8)))?;
    }
    same("the marker", world.state(&file(1)?, &tea).await?.marker, Some(again.marker.clone()))?;
    same("of another file", world.stock.write(&file(2)?, &[again]).await?, true)?;
    same("the product", world.product(&tea).await?, Some((1, 1, 11)))
}

async fn a_rejected_row_leaves_only_a_marker(world: &World) -> anyhow::Result<()> {
    let rejection = Some(RowError::new("quantity", "is “too much” ☕"));
    let marker = DedupMarker { quantity: 0, rejection, ..row(&sku(1)?, None, None, 0)?.marker };
    let rejected = Change { sku: sku(1)?, marker: marker.clone(), product: None };
    same("rejected", world.stock.write(&file(1)?, std::slice::from_ref(&rejected)).await?, true)?;
    let state = CurrentState { product: None, marker: Some(marker) };
    same("the marker", world.state(&file(1)?, &sku(1)?).await?, state.clone())?;
    for change in [rejected, row(&sku(1)?, None, Some(1), 5)?] {
        same("again", world.stock.write(&file(1)?, &[change]).await?, false)?;
        same("the marker", world.state(&file(1)?, &sku(1)?).await?, state.clone())?;
    }
    Ok(())
}

async fn a_row_that_changes_nothing_leaves_only_a_marker(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, 5).await?;
    // It counts as applied before the change that it did not see.
    let change = row(&tea, Some(7), None, 0)?;
    same("written", world.stock.write(&file(1)?, std::slice::from_ref(&change)).await?, true)?;
    same("the marker", world.state(&file(1)?, &tea).await?.marker, Some(change.marker))?;
    same("the product", world.product(&tea).await?, Some((1, 1, 5)))
}

async fn a_delivery_of_the_same_name_counts_as_a_marker(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, 5).await?;
    let delivered = world.products.record_delivery(&tea, &file(1)?, 2).await?;
    same("through the API", delivered, DeliveryOutcome::Recorded)?;
    same("the row", world.stock.write(&file(1)?, &[row(&tea, Some(1), None, 3)?]).await?, false)?;
    same("the product", world.product(&tea).await?, Some((1, 1, 7)))
}

async fn a_new_product_requires_a_missing_one(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, 5).await?;
    same("a new one", world.stock.write(&file(1)?, &[row(&tea, None, Some(2), 3)?]).await?, false)?;
    same("the product", world.product(&tea).await?, Some((1, 1, 5)))?;
    same("no marker", world.state(&file(1)?, &tea).await?.marker, None)
}

async fn a_product_changes_only_at_the_revision_that_was_read(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, 5).await?;
    world.products.put(&tea, &offer(2)?, Precondition::None).await?;
    for (read, price, quantity) in [(1, Some(3), 3), (1, None, 3), (3, Some(3), 0), (0, Some(3), 3)] {
        let written = world.stock.write(&file(1)?, &[row(&tea, Some(read), price, quantity)?]).await?;
        same(&format!("revision {read} of 2"), written, false)?;
        same("the product", world.product(&tea).await?, Some((2, 2, 5)))?;
        same("no marker", world.state(&file(1)?, &tea).await?.marker, None)?;
    }
    let missing = world.stock.write(&file(1)?, &[row(&sku(2)?, Some(1), Some(3), 3)?]).await?;
    same("a missing product", missing, false)?;
    same("it", world.product(&sku(2)?).await?, None)?;
    same("at revision 2", world.stock.write(&file(1)?, &[row(&tea, Some(2), Some(3), 3)?]).await?, true)?;
    same("the product", world.product(&tea).await?, Some((3, 3, 8)))
}

async fn a_product_without_a_revision_changes_only_while_it_has_none(world: &World) -> anyhow::Result<()> {
    for number in 1..=4 {
        let product = Product {
            sku: sku(number)?,
            name: name()?,
            price: euros(1)?,
            tax_rate: None,
            revision: 0,
            available: if number == 4 { MAX_STOCK } else { 5 },
            held: 0,
            sold: 0,
        };
        world.earlier.store(&product).await?;
        let found = world.state(&file(1)?, &product.sku).await?;
        same("read", found, CurrentState { product: Some(product), marker: None })?;
    }
    world.products.put(&sku(3)?, &offer(2)?, Precondition::None).await?;
    for (number, price, expected) in [
        (1, None, Some((1, 0, 8))),
        (2, Some(9), Some((9, 1, 8))),
        (3, Some(9), Some((2, 1, 5))),
        (4, Some(9), Some((1, 0, MAX_STOCK))),
        (5, Some(9), None),
    ] {
        let written = world.stock.write(&file(1)?, &[row(&sku(number)?, Some(0), price, 3)?]).await?;
        same(&format!("product {number}"), written, number < 3)?;
        same("the product", world.product(&sku(number)?).await?, expected)?;
    }
    Ok(())
}

async fn stock_stops_at_the_maximum(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, MAX_STOCK - 3).await?;
    for price in [None, Some(9)] {
        let written = world.stock.write(&file(1)?, &[row(&tea, Some(1), price, 4)?]).await?;
        same("one too many", written, false)?;
        same("the product", world.product(&tea).await?, Some((1, 1, MAX_STOCK - 3)))?;
    }
    same("up to a billion", world.stock.write(&file(1)?, &[row(&tea, Some(1), None, 3)?]).await?, true)?;
    same("the product", world.product(&tea).await?, Some((1, 1, MAX_STOCK)))
}

async fn rows_are_written_atomically(world: &World) -> anyhow::Result<()> {
    let tea = world.create(99, 5).await?;
    let new = (1..u32::try_from(BATCH_SIZE)?).map(|number| row(&sku(number)?, None, Some(1), 3));
    let new = new.collect::<anyhow::Result<Vec<_>>>()?;
    let refused = [new.clone(), vec![row(&tea, Some(7), Some(2), 3)?]].concat();
    same("one of them is refused", world.stock.write(&file(1)?, &refused).await?, false)?;
    let skus: Vec<Sku> = refused.iter().map(|change| change.sku.clone()).collect();
    let found = world.stock.read(&file(1)?, &skus).await?;
    let found = found.into_values().filter(|state| *state != CurrentState::default());
    let prices = found.map(|state| (state.product.map(|product| product.price), state.marker));
    same("only the known product", prices.collect(), vec![(Some(euros(1)?), None)])?;
    let accepted = [new, vec![row(&tea, Some(1), Some(2), 3)?]].concat();
    same("all are accepted", world.stock.write(&file(1)?, &accepted).await?, true)?;
    let found = world.stock.read(&file(1)?, &skus).await?;
    let complete = |state: &CurrentState| state.product.is_some() && state.marker.is_some();
    same("all", found.into_values().filter(complete).count(), BATCH_SIZE)
}

async fn concurrent_runs_apply_a_row_once(world: &World) -> anyhow::Result<()> {
    let tea = world.create(1, 5).await?;
    for (number, price, expected) in [(1, None, (1, 1, 8)), (2, Some(9), (9, 2, 11))] {
        let (file, change) = (file(number)?, [row(&tea, Some(1), price, 3)?]);
        let answers = try_join_all((0..20).map(|_| world.stock.write(&file, &change))).await?;
        same("runs that applied it", answers.iter().filter(|won| **won).count(), 1)?;
        same("the product", world.product(&tea).await?, Some(expected))?;
    }
    Ok(())
}
