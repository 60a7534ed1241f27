//! In-memory implementations of the ports, for tests and simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{DeliveryId, OrderId, Sku};
use platform::http::Precondition;
use platform::lock;
use platform::memory::InjectedFaults;
use serde_json::Value;

use crate::import::progress::Import;
use crate::import::store::{Change, CurrentState, DedupMarker, Imports, ProductChange, ResumeQueue, Stock};
use crate::product::{MAX_STOCK, Offer, Product};
use crate::store::{DeliveryOutcome, Page, Products, Reservations};

/// Products, deliveries and reservations. Each call is one transaction.
#[derive(Debug, Default)]
pub struct InMemoryInventory {
    tables: Mutex<Tables>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

#[derive(Debug, Default)]
struct Tables {
    products: BTreeMap<Sku, Product>,
    deliveries: BTreeMap<(Sku, DeliveryId), u32>,
    markers: BTreeMap<(Sku, DeliveryId), DedupMarker>,
    reservations: BTreeMap<OrderId, Reservation>,
}

impl InMemoryInventory {
    /// Returns all reservations by order.
    pub fn reservations(&self) -> BTreeMap<OrderId, Reservation> {
        lock(&self.tables).reservations.clone()
    }

    /// Returns all products, sorted by SKU.
    pub fn products(&self) -> Vec<Product> {
        lock(&self.tables).products.values().cloned().collect()
    }

    /// Stores a product as it is, such as one of an earlier release.
    pub fn insert_product(&self, product: Product) {
        lock(&self.tables).products.insert(product.sku.clone(), product);
    }

    /// The total quantity of the deliveries of each product.
    pub fn delivered(&self) -> BTreeMap<Sku, u64> {
        let mut delivered = BTreeMap::new();
        for ((sku, _), quantity) in &lock(&self.tables).deliveries {
            *delivered.entry(sku.clone()).or_default() += u64::from(*quantity);
        }
        delivered
    }

    /// The quantity of a product in a delivery; 0 if it is not recorded.
    pub fn delivered_by(&self, sku: &Sku, delivery: &DeliveryId) -> u32 {
        lock(&self.tables).deliveries.get(&(sku.clone(), delivery.clone())).copied().unwrap_or_default()
    }

    /// Forgets that a delivery was recorded, but keeps its effect, as if nothing prevented its repetition.
    pub fn forget_delivery(&self, sku: &Sku, delivery: &DeliveryId) {
        let (mut tables, key) = (lock(&self.tables), (sku.clone(), delivery.clone()));
        tables.deliveries.remove(&key);
        tables.markers.remove(&key);
    }
}

#[async_trait]
impl Products for InMemoryInventory {
    async fn get(&self, sku: &Sku) -> anyhow::Result<Option<Product>> {
        self.failures.check("reading a product")?;
        Ok(lock(&self.tables).products.get(sku).cloned())
    }

    async fn list(&self, after: Option<&Sku>, limit: u32) -> anyhow::Result<Page> {
        self.failures.check("listing products")?;
        let tables = lock(&self.tables);
        let mut remaining =
            tables.products.values().filter(|product| after.is_none_or(|after| product.sku > *after));
        let products: Vec<Product> = remaining.by_ref().take(usize::try_from(limit)?).cloned().collect();
        let next = products.last().filter(|_| remaining.next().is_some()).map(|product| product.sku.clone());
        Ok(Page { products, next })
    }

    async fn put(
        &self,
        sku: &Sku,
        offer: &Offer,
        condition: Precondition,
    ) -> anyhow::Result<Option<Product>> {
        self.failures.check("writing a product")?;
        let products = &mut lock(&self.tables).products;
        if !condition.is_met_by(products.get(sku).map(|product| product.revision)) {
            return Ok(None);
        }
        let new = || Product {
            sku: sku.clone(),
            name: offer.name.clone(),
            price: offer.price,
            tax_rate: offer.tax_rate,
            revision: 0,
            available: 0,
            held: 0,
            sold: 0,
        };
        let product = products.entry(sku.clone()).or_insert_with(new);
        product.name = offer.name.clone();
        product.price = offer.price;
        product.tax_rate = offer.tax_rate;
        product.revision = product.revision.saturating_add(1);
        Ok(Some(product.clone()))
    }

    async fn record_delivery(
        &self,
        sku: &Sku,
        delivery: &DeliveryId,
        quantity: u32,
    ) -> anyhow::Result<DeliveryOutcome> {
        self.failures.check("writing a delivery")?;
        let mut tables = lock(&self.tables);
        let key = (sku.clone(), delivery.clone());
        if let Some(recorded) = tables.deliveries.get(&key) {
            return Ok(if *recorded == quantity {
                DeliveryOutcome::Recorded
            } else {
                DeliveryOutcome::QuantityMismatch
            });
        }
        let Some(product) = tables.products.get_mut(sku) else { return Ok(DeliveryOutcome::Rejected) };
        if product.available > MAX_STOCK.saturating_sub(quantity) {
            return Ok(DeliveryOutcome::Rejected);
        }
        product.available = product.available.saturating_add(quantity);
        tables.deliveries.insert(key, quantity);
        Ok(DeliveryOutcome::Recorded)
    }
}

#[async_trait]
impl Reservations for InMemoryInventory {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>> {
        self.failures.check("reading a reservation")?;
        Ok(lock(&self.tables).reservations.get(&order).cloned())
    }

    async fn load_stock(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>> {
        self.failures.check("reading the stock")?;
        // BatchGetItem requires at least one key, and no duplicates.
        let distinct: BTreeSet<&Sku> = skus.iter().collect();
        anyhow::ensure!(
            !skus.is_empty() && distinct.len() == skus.len(),
            "empty or duplicate keys: {skus:?}"
        );
        let tables = lock(&self.tables);
        let products = skus.iter().filter_map(|sku| tables.products.get(sku));
        Ok(products.map(|product| (product.sku.clone(), product.stock())).collect())
    }

    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool> {
        self.failures.check("writing a reservation")?;
        // A transaction must not contain two operations on the same item.
        let skus: BTreeSet<&Sku> = changes.iter().map(|change| &change.sku).collect();
        anyhow::ensure!(skus.len() == changes.len(), "two changes of the same product in one transaction");
        let mut tables = lock(&self.tables);
        // As in the table, only the state is compared: nothing else of a reservation changes.
        let state = |reservation: &Reservation| reservation.state.name();
        if tables.reservations.get(&new.order_id).map(state) != read.map(state) {
            return Ok(false);
        }
        let apply = |change: &StockChange| apply_change(tables.products.get(&change.sku)?, change);
        let Some(products) = changes.iter().map(apply).collect::<Option<Vec<Product>>>() else {
            return Ok(false);
        };
        tables.products.extend(products.into_iter().map(|product| (product.sku.clone(), product)));
        tables.reservations.insert(new.order_id, new.clone());
        Ok(true)
    }
}

#[async_trait]
impl Stock for InMemoryInventory {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        self.failures.check("reading the stock and markers")?;
        let distinct: BTreeSet<&Sku> = skus.iter().collect();
        anyhow::ensure!(
            !skus.is_empty() && distinct.len() == skus.len(),
            "empty or duplicate keys: {skus:?}"
        );
        let tables = lock(&self.tables);
        let state = |sku: &Sku| CurrentState {
            product: tables.products.get(sku).cloned(),
            marker: tables.markers.get(&(sku.clone(), file.clone())).cloned(),
        };
        Ok(skus.iter().map(|sku| (sku.clone(), state(sku))).collect())
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        self.failures.check("writing the stock and markers")?;
        let mut tables = lock(&self.tables);
        let mut products = Vec::new();
        for change in changes {
            let key = (change.sku.clone(), file.clone());
            if tables.markers.contains_key(&key) || tables.deliveries.contains_key(&key) {
                return Ok(false);
            }
            // A row that changes nothing has no condition on the product.
            let changes_nothing = |update: &&ProductChange| update.offer.is_none() && update.quantity == 0;
            let Some(update) = change.product.as_ref().filter(|update| !changes_nothing(update)) else {
                continue;
            };
            let current = tables.products.get(&change.sku);
            if current.map(|product| product.revision) != update.expected_revision {
                return Ok(false);
            }
            let Some(product) = update.apply_to(&change.sku, current) else { return Ok(false) };
            products.push((change.sku.clone(), product));
        }
        tables.products.extend(products);
        for change in changes {
            let key = (change.sku.clone(), file.clone());
            tables.deliveries.insert(key.clone(), change.marker.quantity);
            tables.markers.insert(key, change.marker.clone());
        }
        Ok(true)
    }
}

/// The progress of imports, and the messages that resume them.
#[derive(Debug, Default)]
pub struct InMemoryImports {
    imports: Mutex<BTreeMap<String, Import>>,
    messages: Mutex<Vec<Value>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

impl InMemoryImports {
    /// Returns all imports, in the order of their ids.
    pub fn all(&self) -> Vec<Import> {
        lock(&self.imports).values().cloned().collect()
    }

    /// Takes the messages that were sent since the last call.
    pub fn take_messages(&self) -> Vec<Value> {
        std::mem::take(&mut *lock(&self.messages))
    }
}

#[async_trait]
impl Imports for InMemoryImports {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        self.failures.check("reading an import")?;
        Ok(lock(&self.imports).get(id).cloned())
    }

    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        self.failures.check("writing an import")?;
        let mut imports = lock(&self.imports);
        if imports.get(&import.id).map(|stored| stored.version) != read {
            return Ok(false);
        }
        imports.insert(import.id.clone(), import.clone());
        Ok(true)
    }
}

#[async_trait]
impl ResumeQueue for InMemoryImports {
    async fn send(&self, message: &Value, _: Duration) -> anyhow::Result<()> {
        self.failures.check("sending a message")?;
        lock(&self.messages).push(message.clone());
        Ok(())
    }
}

/// Applies a change to a product. Returns `None` if the stock does not suffice or the price has changed.
fn apply_change(product: &Product, change: &StockChange) -> Option<Product> {
    let add = |count: u32, delta: i64| u32::try_from(i64::from(count).checked_add(delta)?).ok();
    if change.expected_price.is_some_and(|price| price != product.price) {
        return None;
    }
    Some(Product {
        available: add(product.available, change.available)?,
        held: add(product.held, change.held)?,
        sold: add(product.sold, change.sold)?,
        ..product.clone()
    })
}
