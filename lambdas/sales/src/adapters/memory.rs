//! The ports in memory, for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::OrderId;
use platform::lock;
use platform::memory::InjectedFaults;
use secrecy::SecretString;

use crate::export::store::{CreateResult, ExportQueue, Exports};
use crate::export::{Export, ExportId};
use crate::ledger::booking::Booking;
use crate::ledger::sale::Sale;
use crate::ledger::store::{Ledger, LedgerTable, Page, Partition, Position, Row};
use crate::report::store::{LinkSecret, Mail, Mailer};
use platform::optimistic::Versioned;

/// The number of rows per page, small enough for tests to read several pages.
const PAGE_SIZE: usize = 3;

/// A sales ledger in memory.
#[derive(Debug, Default)]
pub struct InMemoryLedger {
    sales: Mutex<BTreeMap<OrderId, Versioned<Sale>>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

impl InMemoryLedger {
    /// Returns all sales.
    pub fn sales(&self) -> Vec<Sale> {
        lock(&self.sales).values().map(|sale| sale.value.clone()).collect()
    }
}

#[async_trait]
impl Ledger for InMemoryLedger {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Versioned<Sale>>> {
        self.failures.check("reading the sale")?;
        Ok(lock(&self.sales).get(&order).cloned())
    }

    async fn write(&self, known: Option<&Versioned<Sale>>, sale: &Sale) -> anyhow::Result<bool> {
        self.failures.check("writing the sale")?;
        let mut sales = lock(&self.sales);
        let version = sales.get(&sale.order_id).map(|sale| sale.version);
        if version != known.map(|known| known.version) {
            return Ok(false);
        }
        let version = version.unwrap_or_default().saturating_add(1);
        sales.insert(sale.order_id, Versioned { value: sale.clone(), version });
        Ok(true)
    }
}

/// Returns the first page of `rows`.
fn page<R: Row>(mut rows: Vec<R>) -> Page<R> {
    rows.sort_by_key(Row::position);
    let more = rows.len() > PAGE_SIZE;
    rows.truncate(PAGE_SIZE);
    let next = rows.last().filter(|_| more).map(|last| last.position().after());
    Page { rows, next }
}

fn contains<R: Row>(row: &R, partition: Partition, from: &Position, until: &Position) -> bool {
    row.partition() == partition && (from..until).contains(&&row.position())
}

#[async_trait]
impl LedgerTable<Sale> for InMemoryLedger {
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<Sale>> {
        self.failures.check("reading the ledger")?;
        let sales = lock(&self.sales);
        let sales =
            sales.values().map(|sale| &sale.value).filter(|sale| contains(*sale, partition, from, until));
        Ok(page(sales.cloned().collect()))
    }
}

#[async_trait]
impl LedgerTable<Booking> for InMemoryLedger {
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<Booking>> {
        self.failures.check("reading the ledger")?;
        let sales = lock(&self.sales);
        let bookings = sales.values().flat_map(|sale| sale.value.bookings());
        Ok(page(bookings.filter(|booking| contains(booking, partition, from, until)).collect()))
    }
}

/// Exports in memory.
#[derive(Debug, Default)]
pub struct InMemoryExports {
    exports: Mutex<BTreeMap<ExportId, Versioned<Export>>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

#[async_trait]
impl Exports for InMemoryExports {
    async fn create(&self, export: &Export) -> anyhow::Result<CreateResult> {
        self.failures.check("writing the export")?;
        let mut exports = lock(&self.exports);
        if let Some(existing) = exports.get(&export.id) {
            return Ok(CreateResult::AlreadyExists(Box::new(existing.clone())));
        }
        exports.insert(export.id, Versioned { value: export.clone(), version: 1 });
        Ok(CreateResult::Created)
    }

    async fn get(&self, id: ExportId) -> anyhow::Result<Option<Versioned<Export>>> {
        self.failures.check("reading the export")?;
        Ok(lock(&self.exports).get(&id).cloned())
    }

    async fn replace(
        &self,
        read: &Versioned<Export>,
        export: Export,
    ) -> anyhow::Result<Option<Versioned<Export>>> {
        self.failures.check("writing the export")?;
        let mut exports = lock(&self.exports);
        if exports.get(&export.id).map(|stored| stored.version) != Some(read.version) {
            return Ok(None);
        }
        let replaced = Versioned { version: read.version.saturating_add(1), value: export };
        exports.insert(replaced.value.id, replaced.clone());
        Ok(Some(replaced))
    }
}

/// A queue that records the messages.
#[derive(Debug, Default)]
pub struct InMemoryExportQueue {
    sent: Mutex<Vec<ExportId>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

impl InMemoryExportQueue {
    /// Removes and returns all messages.
    pub fn take(&self) -> Vec<ExportId> {
        std::mem::take(&mut *lock(&self.sent))
    }
}

#[async_trait]
impl ExportQueue for InMemoryExportQueue {
    async fn send(&self, id: ExportId) -> anyhow::Result<()> {
        self.failures.check("sending the message")?;
        lock(&self.sent).push(id);
        Ok(())
    }
}

/// A constant secret, for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedLinkSecret;

#[async_trait]
impl LinkSecret for FixedLinkSecret {
    async fn get(&self) -> anyhow::Result<SecretString> {
        Ok(SecretString::from("known to everybody"))
    }

    fn invalidate(&self) {}
}

/// A mailer that records the emails.
#[derive(Debug, Default)]
pub struct InMemoryMailer {
    sent: Mutex<Vec<Mail>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

impl InMemoryMailer {
    /// Returns all emails sent so far.
    pub fn sent(&self) -> Vec<Mail> {
        lock(&self.sent).clone()
    }
}

#[async_trait]
impl Mailer for InMemoryMailer {
    async fn send(&self, mail: &Mail) -> anyhow::Result<()> {
        self.failures.check("sending the mail")?;
        lock(&self.sent).push(mail.clone());
        Ok(())
    }
}
