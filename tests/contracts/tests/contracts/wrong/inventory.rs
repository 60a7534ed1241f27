//! Wrong inventories.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use contracts::products::World;
use contracts::{differential, products, reservations};
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{DeliveryId, OrderId, Sku};
use inventory::adapters::memory::InMemoryInventory;
use inventory::product::{Offer, Product};
use inventory::store::{DeliveryOutcome, Page, Products, Reservations};
use platform::http::Precondition;

use super::{breaks, told_apart};
use crate::memory::inventory_world;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Counts a delivery as often as it is told of it.
    CountsAgain,
    /// Writes over whatever reservation is there.
    IgnoresWhatWasRead,
    /// Writes the reservation also where the stock does not allow it.
    Oversells,
    /// Takes stock at any price.
    IgnoresPrices,
    /// Writes the lines that can be had, and leaves out the last.
    LeavesLinesOut,
    /// Changes a product whatever its revision is.
    IgnoresPreconditions,
}

struct Wrong {
    fault: Fault,
    store: InMemoryInventory,
    calls: AtomicU32,
}

fn world(fault: Fault) -> World {
    let wrong = Arc::new(Wrong { fault, store: InMemoryInventory::default(), calls: AtomicU32::new(0) });
    World { products: wrong.clone(), reservations: wrong }
}

#[async_trait]
impl Products for Wrong {
    async fn get(&self, sku: &Sku) -> anyhow::Result<Option<Product>> {
        Products::get(&self.store, sku).await
    }

    async fn list(&self, after: Option<&Sku>, limit: u32) -> anyhow::Result<Page> {
        self.store.list(after, limit).await
    }

    async fn put(
        &self,
        sku: &Sku,
        offer: &Offer,
        condition: Precondition,
    ) -> anyhow::Result<Option<Product>> {
        let condition =
            if self.fault == Fault::IgnoresPreconditions { Precondition::None } else { condition };
        self.store.put(sku, offer, condition).await
    }

    async fn record_delivery(
        &self,
        sku: &Sku,
        delivery: &DeliveryId,
        quantity: u32,
    ) -> anyhow::Result<DeliveryOutcome> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let again = format!("{delivery}-{number}").parse()?;
        let delivery = if self.fault == Fault::CountsAgain { &again } else { delivery };
        self.store.record_delivery(sku, delivery, quantity).await
    }
}

#[async_trait]
impl Reservations for Wrong {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>> {
        Reservations::get(&self.store, order).await
    }

    async fn load_stock(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>> {
        self.store.load_stock(skus).await
    }

    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool> {
        let now = Reservations::get(&self.store, new.order_id).await?;
        let read = if self.fault == Fault::IgnoresWhatWasRead { now.as_ref() } else { read };
        let mut changes = changes.to_vec();
        if self.fault == Fault::IgnoresPrices {
            changes.iter_mut().for_each(|change| change.expected_price = None);
        }
        if self.store.write(read, new, &changes).await? {
            return Ok(true);
        }
        match self.fault {
            Fault::Oversells => self.store.write(read, new, &[]).await,
            Fault::LeavesLinesOut if changes.len() > 1 => {
                self.store.write(read, new, &changes[..changes.len() - 1]).await
            }
            _ => Ok(false),
        }
    }
}

#[tokio::test]
async fn each_fault_breaks_what_it_should() {
    let told_twice = ["a_delivery_counts_once", "of_many_tellings_of_a_delivery_one_counts"];
    let counted = [&told_twice[..], &["no_more_is_delivered_than_can_be_counted"]].concat();
    breaks(products::broken(async || Ok(world(Fault::CountsAgain))).await, &counted);
    breaks(
        products::broken(async || Ok(world(Fault::IgnoresPreconditions))).await,
        &["a_product_changes_on_condition"],
    );
    for (fault, expected) in [
        (
            Fault::IgnoresWhatWasRead,
            &[
                "a_reservation_is_written_where_there_is_none",
                "a_reservation_moves_only_from_the_state_that_was_read",
                "a_tombstone_keeps_a_late_reservation_out",
                "of_many_that_reserve_for_one_order_one_does",
            ][..],
        ),
        (
            Fault::Oversells,
            &[
                "no_counter_goes_below_zero",
                "all_lines_are_written_or_none",
                "stock_is_taken_only_at_the_price_agreed",
                "of_many_that_want_the_last_pieces_as_many_get_them_as_there_are",
            ],
        ),
        (Fault::IgnoresPrices, &["stock_is_taken_only_at_the_price_agreed", "all_lines_are_written_or_none"]),
        (Fault::LeavesLinesOut, &["all_lines_are_written_or_none"]),
    ] {
        breaks(reservations::broken(async || Ok(world(fault))).await, expected);
    }
}

#[test]
fn random_calls_tell_a_wrong_inventory_from_a_right_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let judge = |make: fn() -> World| {
        differential::agree(60, differential::inventory::calls(), |calls| {
            runtime.block_on(differential::inventory::compare(calls, [inventory_world(), make()]))
        })
    };
    told_apart(judge(|| world(Fault::CountsAgain)), "Deliver");
    told_apart(judge(|| world(Fault::IgnoresPreconditions)), "Put");
    told_apart(judge(|| world(Fault::IgnoresWhatWasRead)), "Write");
    told_apart(judge(|| world(Fault::Oversells)), "Write");
    told_apart(judge(|| world(Fault::IgnoresPrices)), "Write");
    judge(inventory_world).unwrap();
}
