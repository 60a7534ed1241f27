//! The ports in memory, for tests and simulations. Nothing that is deployed uses them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use domain::reservation::{ProductStock, Reservation, StockChange};
use domain::{DeliveryId, OrderId, Sku};
use platform::http::Precondition;
use platform::memory::{InjectedFaults, lock};
use serde_json::Value;

use crate::import::apply::{Change, Mark, Seen, Stock};
use crate::import::progress::{GoOn, Import, Imports};
use crate::product::{MOST_PIECES, Offer, Product};
use crate::store::{Delivered, Page, Products, Reservations};

/// Products, deliveries and reservations. Each call is one transaction.
#[derive(Debug, Default)]
pub struct InMemoryInventory {
    tables: Mutex<Tables>,
    /// Of every call.
    pub failures: InjectedFaults,
}

#[derive(Debug, Default)]
struct Tables {
    products: BTreeMap<Sku, Product>,
    deliveries: BTreeMap<(Sku, DeliveryId), u32>,
    marks: BTreeMap<(Sku, DeliveryId), Mark>,
    reservations: BTreeMap<OrderId, Reservation>,
}

impl InMemoryInventory {
    /// All reservations.
    pub fn reservations(&self) -> BTreeMap<OrderId, Reservation> {
        lock(&self.tables).reservations.clone()
    }

    /// All products.
    pub fn products(&self) -> Vec<Product> {
        lock(&self.tables).products.values().cloned().collect()
    }

    /// How many pieces were put in of each product.
    pub fn delivered(&self) -> BTreeMap<Sku, u64> {
        let mut delivered = BTreeMap::new();
        for ((sku, _), quantity) in &lock(&self.tables).deliveries {
            *delivered.entry(sku.clone()).or_default() += u64::from(*quantity);
        }
        delivered
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
        let mut behind =
            tables.products.values().filter(|product| after.is_none_or(|after| product.sku > *after));
        let products: Vec<Product> = behind.by_ref().take(usize::try_from(limit)?).cloned().collect();
        let next = products.last().filter(|_| behind.next().is_some()).map(|product| product.sku.clone());
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

    async fn deliver(&self, sku: &Sku, delivery: &DeliveryId, quantity: u32) -> anyhow::Result<Delivered> {
        self.failures.check("writing a delivery")?;
        let mut tables = lock(&self.tables);
        let key = (sku.clone(), delivery.clone());
        if let Some(counted) = tables.deliveries.get(&key) {
            return Ok(if *counted == quantity { Delivered::Counted } else { Delivered::OtherQuantity });
        }
        let Some(product) = tables.products.get_mut(sku) else { return Ok(Delivered::Refused) };
        if product.available > MOST_PIECES.saturating_sub(quantity) {
            return Ok(Delivered::Refused);
        }
        product.available = product.available.saturating_add(quantity);
        tables.deliveries.insert(key, quantity);
        Ok(Delivered::Counted)
    }
}

#[async_trait]
impl Reservations for InMemoryInventory {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Reservation>> {
        self.failures.check("reading a reservation")?;
        Ok(lock(&self.tables).reservations.get(&order).cloned())
    }

    async fn on_sale(&self, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, ProductStock>> {
        self.failures.check("reading the stock")?;
        // A batch asks for each row once, and for one at least.
        let different: BTreeSet<&Sku> = skus.iter().collect();
        anyhow::ensure!(!skus.is_empty() && different.len() == skus.len(), "none or one twice: {skus:?}");
        let tables = lock(&self.tables);
        let products = skus.iter().filter_map(|sku| tables.products.get(sku));
        Ok(products.map(|product| (product.sku.clone(), product.on_sale())).collect())
    }

    async fn write(
        &self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
    ) -> anyhow::Result<bool> {
        self.failures.check("writing a reservation")?;
        // A transaction takes each row once.
        let skus: BTreeSet<&Sku> = changes.iter().map(|change| &change.sku).collect();
        anyhow::ensure!(skus.len() == changes.len(), "the stock of one product is changed twice");
        let mut tables = lock(&self.tables);
        // The state alone is compared, as in the table: nothing else of a reservation changes.
        let state = |reservation: &Reservation| reservation.state.name();
        if tables.reservations.get(&new.order_id).map(state) != read.map(state) {
            return Ok(false);
        }
        let changed = |change: &StockChange| changed(tables.products.get(&change.sku)?, change);
        let Some(products) = changes.iter().map(changed).collect::<Option<Vec<Product>>>() else {
            return Ok(false);
        };
        tables.products.extend(products.into_iter().map(|product| (product.sku.clone(), product)));
        tables.reservations.insert(new.order_id, new.clone());
        Ok(true)
    }
}

#[async_trait]
impl Stock for InMemoryInventory {
    async fn look(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, Seen>> {
        self.failures.check("looking at the stock")?;
        let different: BTreeSet<&Sku> = skus.iter().collect();
        anyhow::ensure!(!skus.is_empty() && different.len() == skus.len(), "none or one twice: {skus:?}");
        let tables = lock(&self.tables);
        let seen = |sku: &Sku| Seen {
            product: tables.products.get(sku).cloned(),
            mark: tables.marks.get(&(sku.clone(), file.clone())).cloned(),
        };
        Ok(skus.iter().map(|sku| (sku.clone(), seen(sku))).collect())
    }

    async fn change(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        self.failures.check("changing the stock")?;
        let mut tables = lock(&self.tables);
        let mut products = Vec::new();
        for change in changes {
            let key = (change.sku.clone(), file.clone());
            if tables.marks.contains_key(&key) || tables.deliveries.contains_key(&key) {
                return Ok(false);
            }
            let Some(wanted) = &change.product else { continue };
            let now = tables.products.get(&change.sku);
            if now.map(|product| product.revision) != wanted.read {
                return Ok(false);
            }
            let Some(product) = wanted.applied(&change.sku, now) else { return Ok(false) };
            products.push((change.sku.clone(), product));
        }
        tables.products.extend(products);
        for change in changes {
            let key = (change.sku.clone(), file.clone());
            tables.deliveries.insert(key.clone(), change.mark.quantity);
            tables.marks.insert(key, change.mark.clone());
        }
        Ok(true)
    }
}

/// How far imports are, and the messages that have them go on.
#[derive(Debug, Default)]
pub struct InMemoryImports {
    imports: Mutex<BTreeMap<String, Import>>,
    messages: Mutex<Vec<Value>>,
    /// Of every call.
    pub failures: InjectedFaults,
}

impl InMemoryImports {
    /// All imports.
    pub fn all(&self) -> Vec<Import> {
        lock(&self.imports).values().cloned().collect()
    }

    /// The messages that were sent since this was asked last.
    pub fn messages(&self) -> Vec<Value> {
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
        if imports.get(&import.id).map(|kept| kept.version) != read {
            return Ok(false);
        }
        imports.insert(import.id.clone(), import.clone());
        Ok(true)
    }
}

#[async_trait]
impl GoOn for InMemoryImports {
    async fn go_on(&self, message: &Value, _: Duration) -> anyhow::Result<()> {
        self.failures.check("sending a message")?;
        lock(&self.messages).push(message.clone());
        Ok(())
    }
}

/// The product after a change; `None` where the stock does not allow it.
fn changed(product: &Product, change: &StockChange) -> Option<Product> {
    let add = |count: u32, more: i64| u32::try_from(i64::from(count).checked_add(more)?).ok();
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
