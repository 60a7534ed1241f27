//! `issue-invoice`: issues an invoice for each paid order.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::PaymentSucceeded;
use domain::{Event, Fact, Line};
use futures::future::try_join_all;
use futures::lock::Mutex;
use jiff::Timestamp;
use jiff::civil::Date;
use platform::optimistic::Attempts;
use platform::{Clock, EventHandler, Failure};
use product_catalogue::Catalogue;

use crate::record::{Buyer, Invoice, InvoiceLine, InvoiceNumber};
use crate::settings::Settings;
use crate::store::{Invoices, PutResult};

/// Issues an invoice with the next number of the year for each `payment.succeeded`.
///
/// The number and the invoice are written in one transaction, on condition that the number is the next one
/// and that the order has no invoice. So the numbers have no gaps and no order has two invoices, even if the
/// function crashes or an event is redelivered.
#[expect(missing_docs, reason = "the fields say it")]
pub struct IssueInvoice {
    pub invoices: Arc<dyn Invoices>,
    pub catalogue: Arc<dyn Catalogue>,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    numbering: Mutex<()>,
}

impl IssueInvoice {
    /// Creates the handler.
    pub fn new(
        invoices: Arc<dyn Invoices>,
        catalogue: Arc<dyn Catalogue>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { invoices, catalogue, settings, clock, numbering: Mutex::new(()) }
    }

    /// Returns the lines of the invoice, with the current product data of the inventory.
    async fn invoice_lines(
        &self,
        event: &Event,
        paid: &PaymentSucceeded,
    ) -> anyhow::Result<Vec<InvoiceLine>> {
        let correlation_id = event.cause.correlation_id.as_str();
        let lines: Vec<&Line> = paid.order.lines.iter().collect();
        let mut found = Vec::new();
        // An order has up to fifty lines, so the requests are limited to ten at a time to spare the gateway.
        for chunk in lines.chunks(10) {
            let products = chunk.iter().map(|line| self.catalogue.product(&line.sku, correlation_id));
            found.extend(chunk.iter().zip(try_join_all(products).await?));
        }
        let lines = found.into_iter().map(|(line, product)| {
            let (name, rate) = product.map_or((None, None), |product| (Some(product.name), product.tax_rate));
            Ok(InvoiceLine {
                sku: line.sku.clone(),
                name,
                quantity: line.quantity,
                unit_price: line.unit_price,
                price: line.unit_price.checked_mul(line.quantity.get())?,
                tax_rate: rate.unwrap_or(self.settings.standard_tax_rate),
            })
        });
        lines.collect()
    }

    fn local_date(&self, time: Timestamp) -> Date {
        self.settings.time_zone.to_datetime(time).date()
    }

    /// Assigns the next number of the year to `invoice` and writes it.
    async fn assign_number(&self, mut invoice: Invoice) -> Result<(), Failure> {
        // Invoices of the same process are numbered one at a time, so they do not conflict with each other.
        let _guard = self.numbering.lock().await;
        let mut attempts = Attempts::at("the next invoice number", self.clock.as_ref());
        loop {
            attempts.start().await?;
            let year = invoice.number.year();
            let last = self.invoices.last_serial(year).await?;
            invoice.number = InvoiceNumber::after(year, last)
                .ok_or_else(|| Failure::reject(format!("{year} has no invoice numbers left")))?;
            match self.invoices.put(&invoice).await? {
                PutResult::Written => {
                    tracing::info!(number = %invoice.number, "invoice issued");
                    return Ok(());
                }
                PutResult::OrderHasInvoice => return Ok(()),
                PutResult::NumberConflict => {}
            }
        }
    }
}

#[async_trait]
impl EventHandler for IssueInvoice {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::PaymentSucceeded(paid) = &event.fact else {
            return Err(Failure::poison(format!("no invoice is issued for {}", event.fact.name())));
        };
        if self.invoices.get(event.subject).await?.is_some() {
            return Ok(Vec::new());
        }
        let order = &paid.order;
        if paid.amount != order.total {
            let (paid, due) = (paid.amount, order.total);
            return Err(Failure::reject(format!(
                "{paid} was paid for an order of {due}: an invoice requires both to be equal"
            )));
        }
        let lines = self.invoice_lines(event, paid).await?;
        let issued_at = self.clock.now();
        let issued_on = self.local_date(issued_at);
        let first = InvoiceNumber::after(issued_on.year(), 0);
        let invoice = Invoice {
            number: first.ok_or_else(|| Failure::reject("there is no first invoice number"))?,
            order_id: event.subject,
            issued_at,
            issued_on,
            ordered_on: self.local_date(order.placed_at),
            paid_on: self.local_date(event.time),
            payment_intent: paid.payment_intent.clone(),
            seller: self.settings.seller.clone(),
            buyer: Buyer {
                id: order.customer.id.clone(),
                name: order.customer.name.clone(),
                address: order.customer.address.clone(),
                language: order.customer.language.clone(),
            },
            lines,
            total: order.total,
        };
        self.assign_number(invoice).await?;
        Ok(Vec::new())
    }
}
