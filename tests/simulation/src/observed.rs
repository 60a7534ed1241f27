//! What happened in a run that the tables do not show, for the rules of [`crate::expectations`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use domain::reservation::ProductStock;
use domain::{Event, EventId, Line, Money, OrderDetails, OrderId, Sku};
use platform::lock;
use serde_json::Value;

/// What happened in a run.
#[derive(Debug, Default)]
pub struct Observed(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Every event that was written to the outbox.
    written: BTreeMap<EventId, Event>,
    /// Every event that the bus has accepted.
    accepted: BTreeSet<EventId>,
    /// The stock and prices when an invocation last read them, by the number of the invocation.
    stock_read: BTreeMap<u64, BTreeMap<Sku, ProductStock>>,
    cancelled_by_client: BTreeSet<OrderId>,
    cancelled_at_provider: BTreeSet<OrderId>,
    contradicted: BTreeSet<OrderId>,
    contradictions: BTreeSet<Arc<str>>,
    foreign: BTreeMap<OrderId, OrderDetails>,
    requested_prices: BTreeMap<Sku, Money>,
    stated_totals: BTreeMap<OrderId, Money>,
}

impl Observed {
    /// Records that an event was written to the outbox.
    pub fn written(&self, event: &Event) {
        lock(&self.0).written.insert(event.id, event.clone());
    }

    /// Records that the bus has accepted an event.
    pub fn accepted(&self, event: EventId) {
        lock(&self.0).accepted.insert(event);
    }

    /// The events that were written to the outbox, but that the bus has never accepted.
    pub fn missing_on_bus(&self) -> Vec<Event> {
        let inner = lock(&self.0);
        let missing = inner.written.values().filter(|event| !inner.accepted.contains(&event.id));
        missing.cloned().collect()
    }

    /// Records the stock and the prices that the products had when an invocation read them.
    pub fn stock_read(&self, invocation: u64, stock: BTreeMap<Sku, ProductStock>) {
        lock(&self.0).stock_read.insert(invocation, stock);
    }

    /// The stock and the prices when an invocation last read them.
    pub fn last_stock_read(&self, invocation: u64) -> BTreeMap<Sku, ProductStock> {
        lock(&self.0).stock_read.get(&invocation).cloned().unwrap_or_default()
    }

    /// Records that a client has requested the cancellation of an order.
    pub fn cancelled_by_client(&self, order: OrderId) {
        lock(&self.0).cancelled_by_client.insert(order);
    }

    /// Whether a client has requested the cancellation of an order.
    pub fn is_cancelled_by_client(&self, order: OrderId) -> bool {
        lock(&self.0).cancelled_by_client.contains(&order)
    }

    /// Records that a person has cancelled a PaymentIntent of an order at the provider.
    pub fn cancelled_at_provider(&self, order: OrderId) {
        lock(&self.0).cancelled_at_provider.insert(order);
    }

    /// Whether a person has cancelled a PaymentIntent of an order at the provider.
    pub fn is_cancelled_at_provider(&self, order: OrderId) -> bool {
        lock(&self.0).cancelled_at_provider.contains(&order)
    }

    /// Records a message that contradicts what the services have published about an order.
    pub fn contradicted(&self, order: Option<OrderId>, body: Arc<str>) {
        let mut inner = lock(&self.0);
        inner.contradicted.extend(order);
        inner.contradictions.insert(body);
    }

    /// Whether a publisher has contradicted what the services have published about an order.
    pub fn is_contradicted(&self, order: OrderId) -> bool {
        lock(&self.0).contradicted.contains(&order)
    }

    /// The orders about which a publisher has contradicted what the services have published.
    pub fn contradicted_orders(&self) -> BTreeSet<OrderId> {
        lock(&self.0).contradicted.clone()
    }

    /// Whether a message is such a contradiction.
    pub fn is_contradiction(&self, body: &str) -> bool {
        lock(&self.0).contradictions.contains(body)
    }

    /// Records the order of another order service.
    pub fn foreign_order(&self, order: OrderId, details: OrderDetails) {
        lock(&self.0).foreign.insert(order, details);
    }

    /// The orders of other order services.
    pub fn foreign_orders(&self) -> BTreeMap<OrderId, OrderDetails> {
        lock(&self.0).foreign.clone()
    }

    /// Records the prices in a request to reserve stock, for [`crate::mutation::Mutation::AcceptAnyPrice`].
    pub fn requested_prices(&self, request: &[u8]) {
        let mut body: Value = serde_json::from_slice(request).unwrap_or_default();
        let lines: Vec<Line> = serde_json::from_value(body["lines"].take()).unwrap_or_default();
        let prices = lines.iter().map(|line| (line.sku.clone(), line.unit_price));
        lock(&self.0).requested_prices.extend(prices);
    }

    /// The price that the last order of a product stated.
    pub fn requested_price(&self, sku: &Sku) -> Option<Money> {
        lock(&self.0).requested_prices.get(sku).copied()
    }

    /// Records the total that the last event about an order states, for
    /// [`crate::mutation::Mutation::AmountFromEvent`].
    pub fn stated_total(&self, order: OrderId, total: Money) {
        lock(&self.0).stated_totals.insert(order, total);
    }

    /// The total that the last event about an order stated.
    pub fn last_stated_total(&self, order: OrderId) -> Option<Money> {
        lock(&self.0).stated_totals.get(&order).copied()
    }
}
