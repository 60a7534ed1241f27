//! The imports of the inventory: `import-stock`, and staff who upload, replace and remove files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::{DeliveryId, Sku};
use inventory::adapters::memory::InMemoryImports;
use inventory::import::ImportStock;
use inventory::import::progress::{Ending, Import, Stage};
use inventory::import::results;
use inventory::import::store::{Change, CurrentState, Imports, ResumeQueue, Stock};
use inventory::import::upload::INCOMING_PREFIX;
use platform::objects::{Object, ObjectStore};
use platform::publisher::NoPublisher;
use platform::{Clock, lock};
use serde_json::Value;

use super::handler::Handler;
use super::{Assemble, Service};
use crate::mutation::Mutation;
use crate::ports::{Ports, now};
use crate::setup::MAX_TASKS;
use crate::world::World;

/// The logical id of the bucket.
const BUCKET: &str = "ImportsBucket";

/// The part of the world.
#[derive(Default)]
pub struct State {
    /// The progress of imports.
    pub imports: InMemoryImports,
    /// The files that were uploaded so far, the oldest first.
    pub uploads: Mutex<Vec<Uploaded>>,
}

/// A file that was uploaded.
#[derive(Debug, Clone)]
pub struct Uploaded {
    key: String,
    etag: String,
    file: File,
    /// Whether it was replaced or removed.
    is_gone: bool,
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    /// The number of valid rows, each with a SKU of its own.
    rows: u32,
    /// What distinguishes the file from others with as many rows: the quantity of each row.
    quantity: u32,
    /// Whether the file also has rows that are rejected: a repeated SKU, and a price that is no number.
    has_errors: bool,
    /// Whether the file has a header.
    has_header: bool,
}

impl File {
    fn random(rng: &mut fastrand::Rng) -> Self {
        Self {
            // Of 40 rows, some are in a second batch.
            rows: [1, 3, 40][rng.usize(0..3)],
            quantity: rng.u32(1..=2),
            has_errors: rng.bool(),
            has_header: rng.u8(0..8) > 0,
        }
    }

    /// The SKUs of the valid rows: the first one is a product that is also ordered.
    fn skus(self) -> impl Iterator<Item = String> {
        (0..self.rows).map(|row| if row == 0 { "MUG".to_owned() } else { format!("CUP-{row}") })
    }

    fn text(self) -> String {
        let mut text = String::new();
        if self.has_header {
            text.push_str("sku,name,price,currency,quantity\n");
        }
        for sku in self.skus() {
            let _ = writeln!(text, "{sku},Something,5.00,EUR,{}", self.quantity);
        }
        if self.has_errors {
            text.push_str("MUG,Something,5.00,EUR,7\nPOT,Pot,five,EUR,7\n");
        }
        text
    }

    /// The number of rows that are rejected.
    fn rejected(self) -> u64 {
        if self.has_errors { 2 } else { 0 }
    }
}

/// What staff do with a file after its upload.
#[derive(Debug, Clone, Copy)]
enum Then {
    Nothing,
    /// They upload another file under the same name.
    Replace(File),
    /// They upload the same content under another name.
    UploadCopy,
    Remove,
}

/// The imports of the inventory service.
pub struct StockImports;

impl Service for StockImports {
    fn name(&self) -> &'static str {
        "imports"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("import-stock", import_stock)]
    }

    fn start(&self, world: &Arc<World>) {
        let plans: Vec<(Duration, File, Duration, Then)> = if world.sim.rates().is_none() {
            let file = File { rows: 3, quantity: 2, has_errors: true, has_header: true };
            vec![(Duration::ZERO, file, Duration::from_secs(10), Then::UploadCopy)]
        } else {
            world.sim.random(|rng| {
                let count = rng.usize(1..=2);
                let plans = (0..count).map(|_| {
                    let (file, other) = (File::random(rng), File::random(rng));
                    let then = [Then::Nothing, Then::Replace(other), Then::UploadCopy, Then::Remove];
                    let at = Duration::from_millis(rng.u64(0..120_000));
                    let wait = Duration::from_millis([50, 5_000, 100_000][rng.usize(0..3)]);
                    (at, file, wait, then[rng.usize(0..4)])
                });
                plans.collect()
            })
        };
        for (number, (at, file, wait, then)) in plans.into_iter().enumerate() {
            let ports = Ports::of_client(world, "staff");
            world.sim.scheduler.spawn(async move {
                ports.caller.sleep(at).await;
                let key = format!("{INCOMING_PREFIX}stock-{number}.csv");
                upload(&ports.world, &key, file);
                ports.caller.sleep(wait).await;
                match then {
                    Then::Nothing => {}
                    Then::Replace(file) => upload(&ports.world, &key, file),
                    Then::UploadCopy => {
                        upload(&ports.world, &format!("{INCOMING_PREFIX}copy-{number}.csv"), file);
                    }
                    Then::Remove => remove(&ports.world, &key),
                }
            });
        }
    }

    fn check(&self, world: &World) -> Vec<String> {
        let uploads = lock(&world.parts.imports.uploads).clone();
        let imports = world.parts.imports.imports.all();
        let mut violations: Vec<String> =
            uploads.iter().filter_map(|uploaded| check_import(world, uploaded, &imports)).collect();
        violations.extend(check_stock(world, &uploads, &imports));
        violations
    }

    fn final_state(&self, world: &World) -> String {
        let bucket = world.bucket(BUCKET);
        let results = bucket.keys().into_iter().filter(|key| key.starts_with(results::RESULTS_PREFIX));
        let results: Vec<_> = results.map(|key| bucket.get(&key)).collect();
        format!("{:?} {results:?}", world.parts.imports.imports.all())
    }
}

fn import_stock(ports: &Ports) -> Handler {
    let handler = ImportStock {
        files: Arc::new(ports.bucket(BUCKET)),
        imports: Arc::new(ports.clone()),
        stock: Arc::new(ports.clone()),
        resume_queue: Arc::new(ports.clone()),
        clock: Arc::new(ports.caller.clone()),
    };
    Handler::queue(ports, handler, Arc::new(NoPublisher))
}

/// Uploads a file, which replaces one with the same key.
fn upload(world: &Arc<World>, key: &str, file: File) {
    let bucket = world.bucket(BUCKET);
    let body = file.text().into();
    let object = Object { key: key.to_owned(), content_type: "text/csv".to_owned(), body };
    drop(now(bucket.write(object)));
    let Ok(Some(stored)) = now(bucket.read(key, 0, None)) else { return };
    let etag = stored.etag.trim_matches('"').to_owned();
    mark_gone(world, key, Some(&etag));
    lock(&world.parts.imports.uploads).push(Uploaded { key: key.to_owned(), etag, file, is_gone: false });
    world.sim.log(|| format!("staff upload {key}: {file:?}"));
    world.object_created(BUCKET, key);
}

fn remove(world: &Arc<World>, key: &str) {
    world.sim.log(|| format!("staff remove {key}"));
    drop(now(world.bucket(BUCKET).delete(key)));
    mark_gone(world, key, None);
}

/// Marks the files under a key whose content is not the given one.
fn mark_gone(world: &World, key: &str, etag: Option<&str>) {
    for uploaded in lock(&world.parts.imports.uploads).iter_mut().filter(|uploaded| uploaded.key == key) {
        uploaded.is_gone |= etag != Some(uploaded.etag.as_str());
    }
}

/// An import is complete, its counts are those of the file, and its results exist.
fn check_import(world: &World, uploaded: &Uploaded, imports: &[Import]) -> Option<String> {
    let Uploaded { key, etag, file, is_gone } = uploaded;
    let import = imports.iter().find(|import| import.file == *key && import.etag == *etag);
    let Some(import) = import else { return Some(format!("{key} was not imported")) };
    let counts = &import.progress.counts;
    let Stage::Done(ending) = &import.progress.stage else {
        return Some(format!("the import of {key} hangs: {:?}", import.progress));
    };
    let rows = u64::from(file.rows);
    let is_right = match ending {
        Ending::Gone => *is_gone,
        Ending::Refused(_) => !file.has_header && counts.rows == 0,
        Ending::Read => {
            file.has_header
                && counts.rows == rows.saturating_add(file.rejected())
                && counts.rejected == file.rejected()
                && counts.applied.saturating_add(counts.repeated) == rows
                && counts.pieces == counts.applied.saturating_mul(u64::from(file.quantity))
        }
    };
    if !is_right {
        return Some(format!("{key} with {file:?} ended as {ending:?} with {counts:?}"));
    }
    let (bucket, folder) = (world.bucket(BUCKET), results::folder(import));
    let summary = bucket.get(&format!("{folder}/summary.json")).unwrap_or_else(|| Object {
        key: String::new(),
        content_type: String::new(),
        body: Default::default(),
    });
    let summary: Value = serde_json::from_slice(&summary.body).unwrap_or_default();
    if summary["status"] != results::status(ending, counts) || summary["applied"] != counts.applied {
        return Some(format!("the summary of {key} is {summary}"));
    }
    let rejected = bucket.get(&format!("{folder}/rejected.csv")).map_or(0, |object| {
        let lines = String::from_utf8_lossy(&object.body).lines().count();
        u64::try_from(lines.saturating_sub(1)).unwrap_or_default()
    });
    let is_complete = *ending != Ending::Read || rejected == counts.rejected;
    (!is_complete)
        .then(|| format!("rejected.csv of {key} has {rejected} rows instead of {}", counts.rejected))
}

/// Each row of a content was applied once, however often the content was uploaded: the stock is that of the rows.
fn check_stock(world: &World, uploads: &[Uploaded], imports: &[Import]) -> Vec<String> {
    let mut violations = Vec::new();
    // The pieces of each product that must have been delivered, and those that may have been.
    let mut pieces: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let contents: BTreeSet<&str> = uploads.iter().map(|uploaded| uploaded.etag.as_str()).collect();
    for etag in contents {
        let Some(file) = uploads.iter().find(|it| it.etag == etag).map(|it| it.file) else { continue };
        let its = || imports.iter().filter(|import| import.etag == etag);
        let is_read = its().any(|import| import.progress.stage == Stage::Done(Ending::Read));
        let applied: u64 = its().map(|import| import.progress.counts.applied).sum();
        if applied > u64::from(file.rows) {
            violations.push(format!("{applied} rows of {file:?} were counted"));
        }
        for sku in file.skus().filter(|_| file.has_header) {
            let (least, most) = pieces.entry(sku).or_default();
            let quantity = u64::from(file.quantity);
            *least = least.saturating_add(if is_read { quantity } else { 0 });
            *most = most.saturating_add(quantity);
        }
    }
    let products = world.inventory.products();
    let stocked = |sku: &str| {
        let product = products.iter().find(|product| product.sku.as_str() == sku);
        product.map_or(0, |it| {
            u64::from(it.available).saturating_add(it.held.into()).saturating_add(it.sold.into())
        })
    };
    // The mugs that were there from the start, and those that the staff have recorded.
    let by_staff = (0..MAX_TASKS).map(|number| format!("later-{number}"));
    let other: u64 = std::iter::once("first".to_owned())
        .chain(by_staff)
        .filter_map(|delivery| "MUG".parse().ok().zip(delivery.parse().ok()))
        .map(|(sku, delivery)| u64::from(world.inventory.delivered_by(&sku, &delivery)))
        .sum();
    for (sku, (least, most)) in pieces {
        let stocked = stocked(&sku).saturating_sub(if sku == "MUG" { other } else { 0 });
        if stocked < least || stocked > most {
            violations.push(format!("{stocked} pieces of {sku} were imported instead of {least} to {most}"));
        }
    }
    violations
}

#[async_trait]
impl Imports for Ports {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        let id = id.to_owned();
        self.read("imports.get", move |world| now(Imports::get(&world.parts.imports.imports, &id))).await
    }

    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        let import = import.clone();
        self.read("imports.write", move |world| {
            now(Imports::write(&world.parts.imports.imports, &import, read))
        })
        .await
    }
}

#[async_trait]
impl Stock for Ports {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        let (file, skus) = (file.clone(), skus.to_vec());
        Ports::read(self, "stock.read", move |world| now(Stock::read(&world.inventory, &file, &skus))).await
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        let (file, changes) = (file.clone(), changes.to_vec());
        Ports::read(self, "stock.write", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            if world.has_mutation(Mutation::ImportWithoutMarker) {
                changes.iter().for_each(|change| world.inventory.forget_delivery(&change.sku, &file));
            }
            now(Stock::write(&world.inventory, &file, &changes))
        })
        .await
    }
}

#[async_trait]
impl ResumeQueue for Ports {
    async fn send(&self, message: &Value, delay: Duration) -> anyhow::Result<()> {
        self.send_to_queue("import-stock", message, delay).await
    }
}
