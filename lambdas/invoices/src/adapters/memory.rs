//! Invoices in memory, with faults that can be injected before or after the effect of a call.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::OrderId;
use platform::lock;
use platform::memory::InjectedFaults;

use crate::Invoice;
use crate::store::{Invoices, PutResult};

/// Invoices by order. Each call first yields to other tasks, as a call over a network does.
#[derive(Debug, Default)]
pub struct InMemoryInvoices {
    invoices: Mutex<BTreeMap<OrderId, Invoice>>,
    last: Mutex<BTreeMap<i16, u32>>,
    /// Faults of all calls, before they have an effect.
    pub failures: InjectedFaults,
    /// Faults of `put`, after it has had its effect.
    pub lost_responses: InjectedFaults,
}

impl InMemoryInvoices {
    /// Returns all invoices, ordered by number.
    pub fn all(&self) -> Vec<Invoice> {
        let mut all: Vec<Invoice> = lock(&self.invoices).values().cloned().collect();
        all.sort_by_key(|invoice| invoice.number);
        all
    }
}

#[async_trait]
impl Invoices for InMemoryInvoices {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Invoice>> {
        tokio::task::yield_now().await;
        self.failures.check("reading an invoice")?;
        Ok(lock(&self.invoices).get(&order).cloned())
    }

    async fn last_serial(&self, year: i16) -> anyhow::Result<u32> {
        tokio::task::yield_now().await;
        self.failures.check("reading the last serial")?;
        Ok(lock(&self.last).get(&year).copied().unwrap_or_default())
    }

    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult> {
        tokio::task::yield_now().await;
        self.failures.check("writing an invoice")?;
        let number = invoice.number;
        {
            let (mut invoices, mut last) = (lock(&self.invoices), lock(&self.last));
            if invoices.contains_key(&invoice.order_id) {
                return Ok(PutResult::OrderHasInvoice);
            }
            let last = last.entry(number.year()).or_default();
            if number.serial() != last.saturating_add(1) {
                return Ok(PutResult::NumberConflict);
            }
            *last = number.serial();
            invoices.insert(invoice.order_id, invoice.clone());
        }
        tokio::task::yield_now().await;
        self.lost_responses.check("the response to writing an invoice")?;
        Ok(PutResult::Written)
    }
}
