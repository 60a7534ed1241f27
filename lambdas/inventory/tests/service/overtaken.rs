//! Runs of `import-stock` whose lease ends before their work.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{DeliveryId, Sku};
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
