//! Wrong inventories, which violate the contracts.

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

use super::{SEQUENCES, assert_detected, assert_violations};
use crate::memory::inventory_world;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Counts a repeated delivery again.
    CountsAgain,
    /// Overwrites any reservation.
    IgnoresWhatWasRead,
    /// Writes the reservation even if the stock is insufficient.
    Oversells,
    /// Reserves stock at any price.
    IgnoresPrices,
    /// Reserves the available lines, and omits the last.
    LeavesLinesOut,
    /// Updates a product regardless of its revision.
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
async fn each_fault_violates_the_expected_contracts() {
    let repeated = ["a_delivery_is_counted_once", "concurrent_repeats_of_a_delivery_are_counted_once"];
    let counted = [&repeated[..], &["deliveries_stop_at_the_maximum_stock"]].concat();
    assert_violations(products::violations(async || Ok(world(Fault::CountsAgain))).await, &counted);
    assert_violations(
        products::violations(async || Ok(world(Fault::IgnoresPreconditions))).await,
        &["product_updates_are_conditional"],
    );
    for (fault, expected) in [
        (
            Fault::IgnoresWhatWasRead,
            &[
                "a_new_reservation_requires_a_missing_one",
                "a_reservation_changes_only_from_the_state_that_was_read",
                "a_tombstone_blocks_a_late_reservation",
                "concurrent_reservations_for_one_order_have_one_winner",
            ][..],
        ),
        (
            Fault::Oversells,
            &[
                "no_counter_becomes_negative",
                "lines_are_written_atomically",
                "stock_is_reserved_only_at_the_agreed_price",
                "concurrent_orders_reserve_exactly_the_available_stock",
            ],
        ),
        (
            Fault::IgnoresPrices,
            &["stock_is_reserved_only_at_the_agreed_price", "lines_are_written_atomically"],
        ),
        (Fault::LeavesLinesOut, &["lines_are_written_atomically"]),
    ] {
        assert_violations(reservations::violations(async || Ok(world(fault))).await, expected);
    }
}

#[test]
fn random_calls_detect_a_wrong_inventory() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let check = |make: fn() -> World| {
        differential::check_equivalence(SEQUENCES, differential::inventory::calls(), |calls| {
            runtime.block_on(differential::inventory::compare(calls, [inventory_world(), make()]))
        })
    };
    assert_detected(check(|| world(Fault::CountsAgain)), "Deliver");
    assert_detected(check(|| world(Fault::IgnoresPreconditions)), "Put");
    assert_detected(check(|| world(Fault::IgnoresWhatWasRead)), "Write");
    assert_detected(check(|| world(Fault::Oversells)), "Write");
    assert_detected(check(|| world(Fault::IgnoresPrices)), "Write");
    check(inventory_world).unwrap();
}
