//! Wrong stores of invoices.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::invoices::{World, broken};
use documents::adapters::invoices::memory::InMemoryInvoices;
use documents::invoice::Invoice;
use documents::invoice::store::{Invoices, PutResult};
use domain::OrderId;

use super::breaks;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Takes an order's second invoice for its first.
    SaysYes,
    /// Counts all years together.
    OneCount,
}

struct Wrong(Fault, InMemoryInvoices);

#[async_trait]
impl Invoices for Wrong {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Invoice>> {
        self.1.get(order).await
    }

    async fn last_serial(&self, year: i16) -> anyhow::Result<u32> {
        match self.0 {
            Fault::OneCount => Ok(self.1.last_serial(2026).await? + self.1.last_serial(2027).await?),
            Fault::SaysYes => self.1.last_serial(year).await,
        }
    }

    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult> {
        let put = self.1.put(invoice).await?;
        Ok(if self.0 == Fault::SaysYes && put == PutResult::OrderHasInvoice {
            PutResult::Written
        } else {
            put
        })
    }
}

fn world(fault: Fault) -> World {
    World { invoices: Arc::new(Wrong(fault, InMemoryInvoices::default())) }
}

#[tokio::test]
async fn each_fault_breaks_what_it_should() {
    let expected = ["an_order_has_one_invoice", "an_order_that_is_told_many_times_at_once_takes_one_number"];
    breaks(broken(async || Ok(world(Fault::SaysYes))).await, &expected);
    let expected = ["an_order_has_one_invoice", "years_have_numbers_of_their_own"];
    breaks(broken(async || Ok(world(Fault::OneCount))).await, &expected);
}
