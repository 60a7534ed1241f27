//! Wrong invoice stores, which violate the contracts.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::invoices::{World, violations};
use domain::OrderId;
use invoices::Invoice;
use invoices::adapters::memory::InMemoryInvoices;
use invoices::store::{Invoices, PutResult};

use super::assert_violations;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Reports the second invoice of an order as written.
    SaysYes,
    /// Uses one sequence for all years.
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
async fn each_fault_violates_the_expected_contracts() {
    let expected = ["an_order_has_one_invoice", "concurrent_writes_for_one_order_take_one_number"];
    assert_violations(violations(async || Ok(world(Fault::SaysYes))).await, &expected);
    let expected = ["an_order_has_one_invoice", "each_year_has_its_own_sequence"];
    assert_violations(violations(async || Ok(world(Fault::OneCount))).await, &expected);
}
