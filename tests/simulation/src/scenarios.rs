//! The scenarios of the crash pass, and the ends that are expected, whatever fails.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::order::Order;
use domain::payment::PaymentState;

use crate::clients::OrderRequest;
use crate::publisher::Contradiction;
use crate::run::{Outcome, Setup};
use crate::services;
use crate::sim::Call;

/// A run whose end is known.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What happens in it.
    pub name: &'static str,
    /// The run without faults.
    pub setup: Setup,
    /// The ends that are right, as [`end`] describes them. The first one is the end without faults; an order
    /// that is cancelled while it is charged has more than one. None if only the invariants count: a fault may change
    /// how many orders a client places.
    pub ends: Vec<&'static [&'static str]>,
}

const PAID: &[&str] = &[
    "c-0: paid, settlement committed, reservation committed, payment succeeded, 500 captured, mailed confirmation",
    "available, held, sold: MUG 5 0 0, SAMPLE 5 0 0, TEA 4 0 1",
];
const DECLINED: &[&str] = &[
    "c-0: payment_failed, settlement released, reservation released, payment declined, 0 captured, mailed payment_failure",
    "available, held, sold: MUG 5 0 0, SAMPLE 5 0 0, TEA 5 0 0",
];
const PAID_WITHOUT_CHARGE: &[&str] = &[
    "c-0: paid, settlement committed, reservation committed, payment succeeded, 0 captured, mailed confirmation",
    "available, held, sold: MUG 5 0 0, SAMPLE 4 0 1, TEA 5 0 0",
];
const OUT_OF_STOCK: &[&str] = &[
    "c-0: rejected, settlement none, reservation rejected, payment none, 0 captured, mailed rejection",
    "available, held, sold: MUG 5 0 0, SAMPLE 0 0 0, TEA 0 0 0",
];
const CHANGED_PRICE: &[&str] = &[
    "c-0: rejected, settlement none, reservation rejected, payment none, 0 captured, mailed rejection",
    "available, held, sold: MUG 5 0 0, SAMPLE 5 0 0, TEA 5 0 0",
];
const BOTH_PAID: &[&str] = &[
    "c-0: paid, settlement committed, reservation committed, payment succeeded, 500 captured, mailed confirmation",
    "c-1: paid, settlement committed, reservation committed, payment succeeded, 1500 captured, mailed confirmation",
    "available, held, sold: MUG 0 0 1, SAMPLE 3 0 0, TEA 0 0 3",
];
const CANCELLED: &[&str] = &[
    "c-0: cancelled, settlement released, reservation released, payment voided, 0 captured, mailed cancellation",
    "available, held, sold: MUG 5 0 0, SAMPLE 5 0 0, TEA 5 0 0",
];

/// Returns the scenarios of the crash pass.
pub fn all() -> Vec<Scenario> {
    let simple = OrderRequest::simple;
    let paid_by = |payment_method| OrderRequest { payment_method, ..simple() };
    let cancelled_after =
        |seconds| OrderRequest { cancel_after: Some(Duration::from_secs_f32(seconds)), ..simple() };
    let two = OrderRequest { quantities: [2, 1], at: Duration::from_secs(1), ..simple() };
    let scenario = |name, stock, requests, ends: &[&'static [&'static str]]| Scenario {
        name,
        setup: Setup::without_faults(stock, requests),
        ends: ends.to_vec(),
    };
    let enough = [5, 5];
    // A publisher repeats each event with another total, as soon as there is a record that says otherwise.
    let mut contradicted = scenario("another total on the bus", enough, vec![simple()], &[PAID]);
    contradicted.setup.contradict = Some(Contradiction::Total);
    vec![
        scenario("paid", enough, vec![simple()], &[PAID]),
        scenario("declined", enough, vec![paid_by("pm_declined")], &[DECLINED]),
        scenario("slow payment", enough, vec![paid_by("pm_slow")], &[PAID]),
        scenario("declined after a while", enough, vec![paid_by("pm_slow_declined")], &[DECLINED]),
        scenario("unknown card", enough, vec![paid_by("pm_unknown")], &[DECLINED]),
        scenario("free", enough, vec![OrderRequest { unit_price: 0, ..simple() }], &[PAID_WITHOUT_CHARGE]),
        scenario("out of stock", [0, 5], vec![simple()], &[OUT_OF_STOCK]),
        scenario(
            "changed price",
            enough,
            vec![OrderRequest { unit_price: 499, ..simple() }],
            &[CHANGED_PRICE],
        ),
        scenario("two orders", [3, 1], vec![simple(), two], &[BOTH_PAID]),
        scenario("cancelled at once", enough, vec![cancelled_after(0.01)], &[CANCELLED, PAID]),
        scenario("cancelled after ten seconds", enough, vec![cancelled_after(10.0)], &[PAID, CANCELLED]),
        contradicted,
        scenario("too late to cancel", enough, vec![cancelled_after(3000.0)], &[PAID]),
    ]
}

/// Returns a scenario of each service besides the order process, named like it.
pub fn of_services() -> Vec<Scenario> {
    let scenario = |service| {
        // The clients of the others place their own orders, or none.
        let has_order = matches!(service, "invoices" | "sales" | "search");
        let requests = if has_order { vec![OrderRequest::simple()] } else { Vec::new() };
        let setup = Setup { services: vec![service], ..Setup::without_faults([5, 5], requests) };
        Scenario { name: service, setup, ends: if has_order { vec![PAID] } else { Vec::new() } }
    };
    services::optional().map(scenario).collect()
}

impl Scenario {
    /// Whether a function of one of the services besides the order process makes this call.
    pub(crate) fn is_of_service(&self, call: Call) -> bool {
        let function = services::function(call.caller);
        function.is_some_and(|function| self.setup.services.contains(&function.service.name()))
    }
}

/// Describes the end of a run, without ids and times. An email is listed once: one whose response was lost may
/// be sent twice, because SES offers no way to look up what it has sent.
pub fn end(outcome: &Outcome) -> Vec<String> {
    let last = &outcome.final_snapshot;
    let by_customer: BTreeMap<_, _> =
        last.orders.values().map(|order| (order.details.customer.id.to_string(), order)).collect();
    let mut lines: Vec<String> = by_customer
        .into_iter()
        .map(|(customer, order)| format!("{customer}: {}", end_of(order, outcome)))
        .collect();
    let stock: Vec<String> = last
        .stock
        .iter()
        .map(|(sku, stock)| format!("{sku} {} {} {}", stock.available, stock.held, stock.sold))
        .collect();
    lines.push(format!("available, held, sold: {}", stock.join(", ")));
    lines
}

fn end_of(order: &Order, outcome: &Outcome) -> String {
    let last = &outcome.final_snapshot;
    let status = serde_json::to_value(order.status()).unwrap_or_default();
    let settlement = order.settlement.as_ref().map_or("none", AsRef::as_ref);
    let reservation = last.reservations.get(&order.id).map_or("none", |found| found.state.name());
    let payment = last.payments.get(&order.id).map_or("none", |payment| match payment.state {
        PaymentState::Charging { .. } => "charging",
        PaymentState::Succeeded { .. } => "succeeded",
        PaymentState::Declined { .. } => "declined",
        PaymentState::Voided { .. } => "voided",
    });
    let intents = last.intents.iter().filter(|intent| intent.order_id == order.id);
    let captured: i64 = intents.map(|intent| intent.captured).sum();
    let mut emails: Vec<&str> = last
        .emails
        .iter()
        .filter(|email| email.order_id == order.id)
        .map(|email| email.kind.as_str())
        .collect();
    emails.sort_unstable();
    emails.dedup();
    format!(
        "{}, settlement {settlement}, reservation {reservation}, payment {payment}, {captured} captured, mailed {}",
        status.as_str().unwrap_or_default(),
        emails.join(" and ")
    )
}
