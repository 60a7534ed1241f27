//! `issue-invoice`: an invoice for each paid order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use domain::event::PaymentSucceeded;
use domain::{Event, Fact, Line};
use futures::future::try_join_all;
use futures::lock::Mutex;
use jiff::Timestamp;
use jiff::civil::Date;
use platform::{Clock, EventHandler, Failure};

use super::catalogue::Catalogue;
use super::record::{Buyer, Invoice, InvoiceLine, InvoiceNumber};
use super::settings::Settings;
use super::store::{Invoices, Put};

/// How often a number is tried to get at once. Others take them one at a time, so that in each round somebody gets one.
const TRIES: u32 = 12;
/// The longest wait after the first try that somebody else was faster with; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest wait between two tries: about as long as a few transactions take.
const LONGEST_WAIT: Duration = Duration::from_millis(320);

/// `payment.succeeded` → an invoice with the next number of the year.
///
/// The number and the invoice are written in one transaction, on condition that the number is the next one and that the
/// order has no invoice. So no number is left out and no order has two, wherever this stops and however often it is told.
pub struct IssueInvoice {
    /// The invoices.
    pub invoices: Arc<dyn Invoices>,
    /// The products.
    pub catalogue: Arc<dyn Catalogue>,
    /// What the shop says of itself.
    pub settings: Settings,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    turn: Mutex<()>,
}

impl IssueInvoice {
    /// It issues with these.
    pub fn new(
        invoices: Arc<dyn Invoices>,
        catalogue: Arc<dyn Catalogue>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { invoices, catalogue, settings, clock, turn: Mutex::new(()) }
    }

    /// The lines, with what the inventory says of their products now.
    async fn lines(&self, event: &Event, paid: &PaymentSucceeded) -> anyhow::Result<Vec<InvoiceLine>> {
        let correlation_id = event.cause.correlation_id.as_str();
        let lines: Vec<&Line> = paid.order.lines.iter().collect();
        let mut found = Vec::new();
        // A few at a time: an order has up to fifty, and the gateway has others to serve.
        for some in lines.chunks(10) {
            let asked = some.iter().map(|line| self.catalogue.product(&line.sku, correlation_id));
            found.extend(some.iter().zip(try_join_all(asked).await?));
        }
        let lines = found.into_iter().map(|(line, product)| {
            let (name, rate) = product.map_or((None, None), |product| (Some(product.name), product.tax_rate));
            Ok(InvoiceLine {
                sku: line.sku.clone(),
                name,
                quantity: line.quantity,
                unit_price: line.unit_price,
                price: line.unit_price.checked_mul(line.quantity.get())?,
                tax_rate: rate.unwrap_or(self.settings.usual_rate),
            })
        });
        lines.collect()
    }

    fn day(&self, time: Timestamp) -> Date {
        self.settings.time_zone.to_datetime(time).date()
    }

    /// Gives `invoice` the next number of its year.
    async fn number(&self, mut invoice: Invoice) -> Result<(), Failure> {
        // Those of this process go one by one, and do not get in each other's way.
        let _turn = self.turn.lock().await;
        let mut wait = FIRST_WAIT;
        for _ in 0..TRIES {
            let year = invoice.number.year();
            let last = self.invoices.last(year).await?;
            invoice.number = InvoiceNumber::after(year, last)
                .ok_or_else(|| Failure::reject(format!("{year} has no more numbers")))?;
            match self.invoices.put(&invoice).await? {
                Put::Written => {
                    tracing::info!(number = %invoice.number, "invoice issued");
                    return Ok(());
                }
                Put::OrderHasOne => return Ok(()),
                Put::NotNext => {
                    self.clock.sleep(wait.mul_f64(self.clock.random())).await;
                    wait = wait.saturating_mul(2).min(LONGEST_WAIT);
                }
            }
        }
        Err(Failure::Retry(anyhow!("somebody else was faster with the number, {TRIES} times")))
    }
}

#[async_trait]
impl EventHandler for IssueInvoice {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::PaymentSucceeded(paid) = &event.fact else {
            return Err(Failure::poison(format!("{} leads to no invoice", event.fact.name())));
        };
        if self.invoices.get(event.subject).await?.is_some() {
            return Ok(Vec::new());
        }
        let order = &paid.order;
        if paid.amount != order.total {
            let (paid, due) = (paid.amount, order.total);
            return Err(Failure::reject(format!(
                "{paid} was paid for an order of {due}: no invoice says both"
            )));
        }
        let lines = self.lines(event, paid).await?;
        let issued_at = self.clock.now();
        let issued_on = self.day(issued_at);
        let first = InvoiceNumber::after(issued_on.year(), 0);
        let invoice = Invoice {
            number: first.ok_or_else(|| Failure::reject("there is no first number"))?,
            order_id: event.subject,
            issued_at,
            issued_on,
            ordered_on: self.day(order.placed_at),
            paid_on: self.day(event.time),
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
        self.number(invoice).await?;
        Ok(Vec::new())
    }
}
