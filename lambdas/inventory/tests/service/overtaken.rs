//! Runs of `import-stock` whose lease ends before their work, or that write at the same time as others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::{DeliveryId, Sku};
use inventory::adapters::memory::InMemoryInventory;
use inventory::import::ImportStock;
use inventory::import::progress::{Ending, Stage};
use inventory::import::store::{Change, CurrentState, Stock};
use jiff::SignedDuration;
use platform::MessageHandler;
use serde_json::Value;

use crate::faults::FaultInjector;
use crate::imports::{HEADER, TIME, World};

/// A store whose first read takes so long that another run takes over the import and completes it.
struct SlowStock {
    world: &'static World,
    message: Value,
}

#[async_trait]
impl Stock for SlowStock {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        let state = Stock::read(self.world.inventory.as_ref(), file, skus).await;
        self.world.clock().advance(SignedDuration::from_secs(106));
        self.world.handle(&self.message).await;
        state
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        Stock::write(self.world.inventory.as_ref(), file, changes).await
    }
}

/// A store in which the first write conflicts with another writer.
struct ContendedStock {
    inventory: Arc<InMemoryInventory>,
    writes: AtomicU32,
}

#[async_trait]
impl Stock for ContendedStock {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        Stock::read(self.inventory.as_ref(), file, skus).await
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        if self.writes.fetch_add(1, Ordering::SeqCst) == 0 {
            return Ok(false);
        }
        Stock::write(self.inventory.as_ref(), file, changes).await
    }
}

#[tokio::test]
async fn after_a_conflict_each_row_is_written_on_its_own() {
    let world = World::new();
    let message = world.upload("a.csv", format!("{HEADER}T-1,Tea,1,EUR,19,5\nT-2,Tea,1,EUR,19,6\n")).await;
    let stock =
        Arc::new(ContendedStock { inventory: Arc::clone(&world.inventory), writes: AtomicU32::new(0) });
    let function = ImportStock { stock: Arc::clone(&stock) as _, ..world.function(&FaultInjector::none()) };
    function.handle_message(message, TIME).await.unwrap();
    let available = ["T-1", "T-2"].map(|sku| world.product(sku).unwrap().available);
    assert_eq!((available, stock.writes.load(Ordering::SeqCst)), ([5, 6], 3));
}

#[tokio::test]
async fn a_run_whose_lease_has_ended_overwrites_nothing() {
    let world: &'static World = Box::leak(Box::new(World::new()));
    let message = world.upload("a.csv", format!("{HEADER}T-1,Tea,1,EUR,19,5\nT-2,Tea,x,EUR,19,5\n")).await;
    let slow = ImportStock {
        stock: Arc::new(SlowStock { world, message: message.clone() }),
        ..world.function(&FaultInjector::none())
    };
    let failure = slow.handle_message(message.clone(), TIME).await.unwrap_err();
    assert!(failure.to_string().contains("another run has taken over"), "{failure}");
    assert!(world.imports.take_messages().is_empty(), "the run is not resumed");
    let summary = world.summary();
    let counts = ["rows", "applied", "rejected", "pieces"].map(|count| summary[count].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1, 5]);
    assert_eq!(world.product("T-1").unwrap().available, 5, "each row counts once");
    let Stage::Done(Ending::Read) = &world.imports.all()[0].progress.stage else { panic!() };
}
