//! The invoices: one for each paid order, with numbers without gaps, and documents that never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Extension;
use bytes::Bytes;
use domain::fact::PaymentSucceeded;
use domain::order::{Order, OrderStatus};
use domain::payment::PaymentState;
use domain::{Cause, CustomerId, Event, Fact, OrderDetails, OrderId, TaxRate};
use http::{Request, StatusCode};
use invoices::adapters::memory::InMemoryInvoices;
use invoices::issue::IssueInvoice;
use invoices::settings::Settings;
use invoices::store::{Invoices as InvoicesPort, PutResult};
use invoices::{Invoice, Seller};
use jiff::Timestamp;
use jiff::civil::Date;
use localization::Language;
use platform::http::{Caller, Scope};
use platform::publisher::NoPublisher;
use platform::{Clock, lock};
use product_catalogue::HttpCatalogue;
use serde_json::json;
use uuid::Uuid;

use super::handler::Handler;
use super::{Assemble, Service};
use crate::mutation::Mutation;
use crate::ports::{Ports, now};
use crate::world::World;

/// The invoices service.
pub struct InvoiceService;

/// The invoices, and what customers have seen of them.
#[derive(Debug, Default)]
pub struct Invoices {
    /// The table of issued invoices.
    table: InMemoryInvoices,
    /// What is written although a condition does not hold, for [`Mutation::InvoiceNumberWithoutCondition`] and
    /// [`Mutation::SecondInvoiceOfOrder`].
    unconditional: Mutex<Vec<Invoice>>,
    /// The orders of earlier days whose payments arrive together, so that their invoices compete for numbers.
    burst: Mutex<BTreeSet<OrderId>>,
    /// The documents that customers have read, by order and media type.
    documents: Mutex<BTreeMap<(OrderId, &'static str), Bytes>>,
}

impl Invoices {
    /// All invoices, ordered by number.
    pub fn all(&self) -> Vec<Invoice> {
        let mut all = [self.table.all(), lock(&self.unconditional).clone()].concat();
        all.sort_by_key(|invoice| invoice.number);
        all
    }
}

impl Service for InvoiceService {
    fn name(&self) -> &'static str {
        "invoices"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("issue-invoice", issue_invoice), ("render-invoice", render_invoice)]
    }

    /// Orders of earlier days are paid, and customers look for their invoices while orders run.
    fn start(&self, world: &Arc<World>) {
        pay_earlier_orders(world);
        let ports = client(world);
        world.sim.scheduler.spawn(async move {
            for _ in 0..3 {
                ports.caller.sleep(ports.caller.sim.random_delay(Duration::from_secs(600))).await;
                for order in ports.world.orders.all().into_values() {
                    read(&ports, &order, "text/html").await;
                }
            }
        });
    }

    /// Issues an invoice for a payment that failed, for [`Mutation::InvoiceForFailedPayment`].
    fn published(&self, world: &World, event: &Event) {
        if let Fact::PaymentFailed(failed) = &event.fact
            && world.has_mutation(Mutation::InvoiceForFailedPayment)
        {
            let order = failed.order.clone();
            let fact = PaymentSucceeded { payment_intent: None, amount: order.total, order };
            send_payment(world, &Event { fact: Fact::PaymentSucceeded(fact), ..event.clone() });
        }
    }

    /// Each customer reads the invoice until it arrives.
    fn finish(&self, world: &Arc<World>) {
        for order in world.orders.all().into_values().filter(|order| order.status() == OrderStatus::Paid) {
            let ports = client(world);
            // A PDF takes a hundred times as long as a page.
            let is_pdf = world.sim.random(|rng| rng.u8(0..16)) == 0;
            let media_type = if is_pdf { "application/pdf" } else { "text/html" };
            world.sim.scheduler.spawn(async move {
                for _ in 0..60 {
                    if read(&ports, &order, media_type).await {
                        return;
                    }
                    ports.caller.sleep(Duration::from_secs(30)).await;
                }
                ports.world.report_violation(format!("the invoice of order {} is never served", order.id));
            });
        }
    }

    fn check(&self, world: &World) -> Vec<String> {
        let all = world.parts.invoices.all();
        let mut found = Vec::new();
        let payments = world.payments.all();
        let own = world.orders.all().into_values().map(|order| {
            let is_paid = order.status() == OrderStatus::Paid;
            (order.id, order.details, is_paid)
        });
        // Other order services publish no status.
        let foreign = world.observed.foreign_orders().into_iter().map(|(id, details)| {
            let payment = payments.get(&id).map(|payment| &payment.state);
            (id, details, matches!(payment, Some(PaymentState::Succeeded { .. })))
        });
        for (order, details, is_paid) in own.chain(foreign) {
            let issued: Vec<&Invoice> = all.iter().filter(|invoice| invoice.order_id == order).collect();
            match issued.as_slice() {
                [] if is_paid => found.push(format!("order {order} is paid and has no invoice")),
                [] => {}
                [invoice] if is_paid => found.extend(check_content(world, &details, invoice)),
                [invoice] => {
                    found.push(format!("order {order} is not paid and has invoice {}", invoice.number));
                }
                several => {
                    let numbers: Vec<String> =
                        several.iter().map(|invoice| invoice.number.to_string()).collect();
                    found.push(format!("order {order} has invoices {numbers:?}"));
                }
            }
        }
        for order in lock(&world.parts.invoices.burst).iter() {
            let count = all.iter().filter(|invoice| invoice.order_id == *order).count();
            if count != 1 {
                found.push(format!("order {order} of an earlier day has {count} invoices"));
            }
        }
        let mut serials: BTreeMap<i16, Vec<u32>> = BTreeMap::new();
        for invoice in &all {
            serials.entry(invoice.number.year()).or_default().push(invoice.number.serial());
        }
        for (year, serials) in serials {
            if !serials.iter().copied().eq((1..).take(serials.len())) {
                found.push(format!("the invoices of {year} have the numbers {serials:?}"));
            }
        }
        found
    }

    fn final_state(&self, world: &World) -> String {
        json!(world.parts.invoices.all()).to_string()
    }
}

/// Sends the payments of up to five orders of earlier days, within a second.
fn pay_earlier_orders(world: &Arc<World>) {
    let start = world.sim.random_delay(Duration::from_secs(60));
    for number in 0..world.sim.random(|rng| rng.u8(0..=5)) {
        let id = OrderId::from(Uuid::from_u128(world.sim.random(|rng| rng.u128(..))));
        let total = json!({ "amount": 500, "currency": "EUR" });
        let order = serde_json::from_value::<OrderDetails>(json!({
            "customer": { "id": "earlier", "name": "Grace Hopper", "email": "earlier@example.com" },
            "lines": [{ "sku": "TEA", "quantity": 1, "unit_price": total }],
            "total": total,
            "payment_method": "pm_visa",
            "placed_at": "2026-01-04T12:00:00Z",
        }));
        let (Ok(order), Ok(correlation_id)) = (order, format!("earlier-{number}").parse()) else {
            unreachable!("the order is valid")
        };
        let fact = PaymentSucceeded { payment_intent: None, amount: order.total, order };
        let cause = Cause { correlation_id, causation_id: None, traceparent: None };
        let event = Event::new(id, Fact::PaymentSucceeded(fact), world.sim.now(), cause);
        lock(&world.parts.invoices.burst).insert(id);
        let wait = start.saturating_add(world.sim.random_delay(Duration::from_secs(1)));
        let later = Arc::clone(world);
        world.sim.scheduler.schedule_in_flight(wait, move || send_payment(&later, &event));
    }
}

fn send_payment(world: &World, event: &Event) {
    world.send_to("issue-invoice", &World::message(event.fact.name(), &json!(event)));
}

/// The differences between an invoice and the order with its payment.
fn check_content(world: &World, details: &OrderDetails, invoice: &Invoice) -> Vec<String> {
    let order = invoice.order_id;
    let date = |time: Timestamp| world.wiring.shop_time_zone.to_datetime(time).date();
    let payment = world.payments.all().remove(&order).map(|payment| payment.state);
    let (intent, paid_at) = match payment {
        Some(PaymentState::Succeeded { intent, at }) => (intent, Some(at)),
        _ => (None, None),
    };
    let lines = details.lines.iter().map(|line| (&line.sku, line.quantity, line.unit_price));
    let price = |line: &invoices::InvoiceLine| line.unit_price.checked_mul(line.quantity.get()).ok();
    let customer = &details.customer;
    let dates: [Option<Date>; 2] = [Some(date(details.placed_at)), paid_at.map(date)];
    [
        ("total", invoice.total == details.total),
        ("lines", lines.eq(invoice.lines.iter().map(|line| (&line.sku, line.quantity, line.unit_price)))),
        ("prices", invoice.lines.iter().all(|line| Some(line.price) == price(line))),
        ("names", invoice.lines.iter().all(|line| line.name.is_some())),
        ("buyer", (&invoice.buyer.id, &invoice.buyer.name) == (&customer.id, &customer.name)),
        ("address", invoice.buyer.address == customer.address),
        ("language", invoice.buyer.language == customer.language),
        ("payment", invoice.payment_intent == intent),
        ("dates", [Some(invoice.ordered_on), Some(invoice.paid_on)] == dates),
        ("date of issue", invoice.issued_on == date(invoice.issued_at)),
        ("year", invoice.number.year() == invoice.issued_on.year()),
    ]
    .into_iter()
    .filter(|(_, is_same)| !is_same)
    .map(|(what, _)| format!("invoice {} of order {order} differs in {what}", invoice.number))
    .collect()
}

fn client(world: &Arc<World>) -> Ports {
    Ports { caller: world.sim.new_caller("customer").unkillable(), world: Arc::clone(world) }
}

/// Reads the invoice of an order as its customer, and tries to as another one. Returns whether it was served.
async fn read(ports: &Ports, order: &Order, media_type: &'static str) -> bool {
    let world = &ports.world;
    let customer = &order.details.customer;
    let was_issued = now(world.parts.invoices.table.get(order.id)).ok().flatten().is_some();
    let Some((status, body)) = get(ports, order.id, &customer.id, media_type).await else { return false };
    if status == StatusCode::OK {
        let language = Language::from_preference(customer.language.as_ref()).code();
        let text = String::from_utf8_lossy(&body);
        let issued = now(world.parts.invoices.table.get(order.id)).ok().flatten();
        let number = issued.map(|invoice| invoice.number.to_string());
        if media_type == "text/html" && !number.is_some_and(|number| text.contains(&number)) {
            world.report_violation(format!("the invoice of order {} has another number", order.id));
        }
        if media_type == "text/html" && !text.contains(&format!("lang=\"{language}\"")) {
            world.report_violation(format!("the invoice of order {} is not in {language}", order.id));
        }
        let before = lock(&world.parts.invoices.documents).insert((order.id, media_type), body.clone());
        if before.is_some_and(|before| before != body) {
            world.report_violation(format!("the invoice of order {} has changed", order.id));
        }
    } else if was_issued && status.is_client_error() {
        world.report_violation(format!("the invoice of order {} was issued and returns {status}", order.id));
    }
    if let Ok(stranger) = "eve".parse()
        && let Some((status, _)) = get(ports, order.id, &stranger, media_type).await
        && status == StatusCode::OK
    {
        world.report_violation(format!("the invoice of order {} is shown to another customer", order.id));
    }
    status == StatusCode::OK
}

async fn get(
    ports: &Ports,
    order: OrderId,
    customer: &CustomerId,
    media_type: &str,
) -> Option<(StatusCode, Bytes)> {
    let caller = Caller::User {
        id: customer.clone(),
        is_staff: false,
        scopes: [Scope::OrdersRead].into_iter().collect(),
    };
    let request = Request::get(format!("/orders/{order}/invoice")).header("accept", media_type);
    let request = request.extension(caller).body(Bytes::new()).ok()?;
    let response = ports.request_in_time("render-invoice", request).await?;
    Some((response.status(), response.into_body()))
}

fn issue_invoice(ports: &Ports) -> Handler {
    let settings = Settings {
        seller: Seller {
            name: "The Tea Shop".to_owned(),
            address: vec!["1 Quay".to_owned(), "DE".to_owned()],
            tax_id: "DE123456789".to_owned(),
        },
        time_zone: ports.world.wiring.shop_time_zone.clone(),
        standard_tax_rate: TaxRate::try_from(1900).unwrap_or_else(|_| unreachable!("the rate is valid")),
    };
    let catalogue = Arc::new(HttpCatalogue::new(ports.clone(), "http://inventory-api"));
    let handler =
        IssueInvoice::new(Arc::new(ports.clone()), catalogue, settings, Arc::new(ports.caller.clone()));
    Handler::queue(ports, handler, Arc::new(NoPublisher))
}

fn render_invoice(ports: &Ports) -> Handler {
    let api = invoices::api::Api {
        invoices: Arc::new(ports.clone()),
        objects: Arc::new(ports.bucket("DocumentsBucket")),
    };
    let mut router = invoices::api::router(api);
    if ports.world.has_mutation(Mutation::InvoiceShownToAnyone) {
        let scopes = [Scope::OrdersRead].into_iter().collect();
        let staff = "staff".parse().map(|id| Caller::User { id, is_staff: true, scopes });
        router = router.layer(Extension(staff.unwrap_or(Caller::Anonymous)));
    }
    Handler::api(ports, router)
}

#[async_trait]
impl InvoicesPort for Ports {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Invoice>> {
        self.read("invoices.get", move |world| {
            Ok(world.parts.invoices.all().into_iter().find(|invoice| invoice.order_id == order))
        })
        .await
    }

    async fn last_serial(&self, year: i16) -> anyhow::Result<u32> {
        self.read("invoices.last_serial", move |world| now(world.parts.invoices.table.last_serial(year)))
            .await
    }

    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult> {
        let mut invoice = invoice.clone();
        if self.world.has_mutation(Mutation::InvoiceWithoutLanguage) {
            invoice.buyer.language = None;
        }
        self.read("invoices.put", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(PutResult::NumberConflict);
            }
            let result = now(world.parts.invoices.table.put(&invoice))?;
            let ignored = match result {
                PutResult::NumberConflict => Mutation::InvoiceNumberWithoutCondition,
                PutResult::OrderHasInvoice => Mutation::SecondInvoiceOfOrder,
                PutResult::Written => return Ok(result),
            };
            if world.has_mutation(ignored) {
                lock(&world.parts.invoices.unconditional).push(invoice.clone());
                return Ok(PutResult::Written);
            }
            Ok(result)
        })
        .await
    }
}
