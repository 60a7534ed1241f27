//! When a run of `import-stock` saves its checkpoint, and how the next one resumes from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{DeliveryId, Sku};
use inventory::adapters::memory::InMemoryInventory;
use inventory::import::ImportStock;
use inventory::import::progress::{Ending, Import, Progress, Stage};
use inventory::import::store::{Change, CurrentState, Imports, Stock};
use jiff::SignedDuration;
use platform::memory::ManualClock;
use platform::objects::ObjectStore;
use platform::{Failure, MessageHandler};
use serde_json::Value;

use crate::faults::FaultInjector;
use crate::imports::{HEADER, TIME, World};

/// A store whose writes take some seconds.
struct SlowStock {
    inventory: Arc<InMemoryInventory>,
    clock: Arc<ManualClock>,
    seconds: i64,
}

#[async_trait]
impl Stock for SlowStock {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        Stock::read(self.inventory.as_ref(), file, skus).await
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        self.clock.advance(SignedDuration::from_secs(self.seconds));
        Stock::write(self.inventory.as_ref(), file, changes).await
    }
}

impl World {
    /// The function, with writes that take some seconds.
    fn slow(&self, seconds: i64) -> ImportStock {
        let (inventory, clock) = (Arc::clone(&self.inventory), Arc::clone(self.clock()));
        let stock = Arc::new(SlowStock { inventory, clock, seconds });
        ImportStock { stock, ..self.function(&FaultInjector::none()) }
    }

    fn import(&self) -> Import {
        let [import] = self.imports.all().try_into().unwrap();
        import
    }

    /// Uploads a file with this number of valid rows.
    async fn upload_rows(&self, count: u32) -> Value {
        let rows: String = (0..count).map(|number| format!("T-{number},Tea,1,EUR,19,1\n")).collect();
        self.upload("a.csv", format!("{HEADER}{rows}")).await
    }
}

#[tokio::test]
async fn a_checkpoint_is_saved_every_five_seconds_and_not_for_each_batch() {
    for (seconds, checkpoints) in [(0, 1), (1, 1), (2, 2)] {
        let world = World::new();
        let message = world.upload_rows(3 * 25).await;
        world.slow(seconds).handle_message(message, TIME).await.unwrap();
        // The first write acquires the lease.
        assert_eq!(world.import().version, 1 + checkpoints, "{seconds} seconds for each of three batches");
        assert_eq!(world.summary()["applied"], 75);
    }
}

#[tokio::test]
async fn a_run_that_reaches_its_time_limit_is_resumed_if_it_made_progress() {
    let world = World::new();
    let message = world.upload_rows(30 * 25).await;
    world.slow(10).handle_message(message.clone(), TIME).await.unwrap();
    let Stage::Reading = world.import().progress.stage else { panic!("{:?}", world.import()) };
    let resumed = world.imports.take_messages();
    assert_eq!(resumed, [message]);
    world.handle(&resumed[0]).await;
    assert_eq!(world.summary()["applied"], 750);
}

#[tokio::test]
async fn a_run_without_progress_fails() {
    let world = World::new();
    let message = world.upload_rows(1).await;
    let function = world.function(&FaultInjector::none());
    function.handle_message(message.clone(), Duration::ZERO).await.unwrap();
    assert_eq!(world.imports.take_messages().len(), 1, "the header was read");
    let failure = function.handle_message(message, Duration::ZERO).await.unwrap_err();
    assert!(failure.to_string().contains("before any row was processed"), "{failure}");
    assert!(world.imports.take_messages().is_empty());
}

/// Most of a short time is left for the rows.
#[tokio::test]
async fn a_run_of_ten_seconds_imports_a_file() {
    let world = World::new();
    let message = world.upload_rows(1).await;
    world.function(&FaultInjector::none()).handle_message(message, Duration::from_secs(10)).await.unwrap();
    assert_eq!(world.summary()["applied"], 1);
}

#[tokio::test]
async fn a_run_that_takes_over_has_a_lease_and_a_version_of_its_own() {
    let world = World::new();
    let message = world.upload_rows(1).await;
    let mut leases = Vec::new();
    for version in 1..=2 {
        // Interrupted at the third call, after the lease has been acquired.
        let injector = FaultInjector::interrupt_after(2);
        let interrupted = world.call(&message, &injector);
        assert!(tokio::time::timeout(Duration::from_millis(20), interrupted).await.is_err());
        assert_eq!(world.import().version, version);
        leases.push(world.import().lease);
        let failure = world.call(&message, &FaultInjector::none()).await.unwrap_err();
        assert!(matches!(failure, Failure::Leased { .. }), "{failure}");
        world.clock().advance(SignedDuration::from_secs(105));
    }
    assert_ne!(leases[0].owner, leases[1].owner);
    world.handle(&message).await;
    assert_eq!(world.summary()["applied"], 1);
}

/// As after a run that was interrupted before it could record how reading ended.
#[tokio::test]
async fn a_file_that_was_read_to_its_end_is_not_read_again() {
    let world = World::new();
    let message = world.upload_rows(1).await;
    world.handle(&message).await;
    let mut import = world.import();
    assert_eq!(Some(import.progress.position.offset), import.progress.size);
    import.progress.stage = Stage::Reading;
    import.version += 1;
    let version = import.version - 1;
    assert!(Imports::write(world.imports.as_ref(), &import, Some(version)).await.unwrap());
    world.files.delete("incoming/a.csv").await.unwrap();
    world.handle(&message).await;
    assert_eq!(world.import().progress.stage, Stage::Done(Ending::Read));
    assert_eq!(world.summary()["status"], "imported");
}

/// As after a run whose stream failed before the header could be read.
#[tokio::test]
async fn an_empty_file_is_refused_by_the_next_run_too() {
    let world = World::new();
    let message = world.upload("a.csv", "").await;
    world.handle(&message).await;
    let refused = world.import();
    let mut import = refused.clone();
    import.progress = Progress { size: Some(0), ..Progress::new() };
    import.version += 1;
    assert!(Imports::write(world.imports.as_ref(), &import, Some(refused.version)).await.unwrap());
    world.handle(&message).await;
    assert_eq!(world.import().progress.stage, refused.progress.stage);
}

#[tokio::test]
async fn the_log_lines_of_an_import_have_its_id() {
    let world = World::new();
    let mut message = world.upload_rows(1).await;
    message["id"] = "event-1".into();
    world.handle(&message).await;
    let labels = world.function(&FaultInjector::none()).labels(&message);
    assert_eq!(labels.correlation_id, Some(world.import().id));
    assert_eq!(
        (labels.event_type.as_deref(), labels.event_id.as_deref()),
        (Some("Object Created"), Some("event-1"))
    );
}
