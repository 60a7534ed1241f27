//! Everything outside the functions: tables, the provider, the mailbox, the bus, the queues and the stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use domain::{Event, OrderId, PaymentIntentId, Sku};
use invariants::{Email, Intent, Phase, Snapshot, Stock, check, check_transition};
use inventory::adapters::memory::InMemoryInventory;
use inventory::store::Reservations;
use jiff::SignedDuration;
use orders::adapters::memory::InMemoryOrders;
use orders::store::Orders;
use payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use payments::store::Payments;
use platform::host::stream::Change;
use platform::lock;
use serde_json::{Value, json};

use crate::lambda;
use crate::mutation::Mutation;
use crate::observed::Observed;
use crate::ports::now;
use crate::publisher::{self, Contradiction};
use crate::queue::Queue;
use crate::run::Setup;
use crate::sim::Sim;
use crate::wiring::Wiring;

/// Everything outside the functions.
pub struct World {
    /// The run that it belongs to.
    pub sim: Arc<Sim>,
    /// The wiring from `template.yaml`.
    pub wiring: Arc<Wiring>,
    /// Orders, outbox and idempotency keys.
    pub orders: InMemoryOrders,
    /// Products and reservations.
    pub inventory: InMemoryInventory,
    /// The records of the payments service.
    pub payments: InMemoryPayments,
    /// The payment provider.
    pub provider: InMemoryProvider,
    /// The queues, in the order of the wiring's subscriptions.
    pub queues: Mutex<Vec<Queue>>,
    /// The stream of the outbox table.
    pub stream: Mutex<Stream>,
    /// The emails sent so far.
    pub emails: Mutex<Vec<Email>>,
    /// The idempotency records of emails.
    pub claims: platform::idempotency::InMemoryIdempotencyStore,
    /// Whether a replay is so late that an email goes to the dead-letter queue, because its idempotency
    /// record may have expired.
    pub email_replay_expired: AtomicBool,
    /// The orders whose release the inventory has confirmed.
    pub released: Mutex<BTreeSet<OrderId>>,
    /// The number of webhooks that the provider has created.
    pub webhook_count: AtomicU64,
    /// What happened that the tables do not show.
    pub observed: Observed,
    /// How a publisher contradicts each event, if it always does.
    pub contradict: Option<Contradiction>,
    mutation: Option<Mutation>,
    redeliver_after: Option<Duration>,
    rule_log: Mutex<RuleLog>,
    me: Weak<Self>,
}

/// The stream of the outbox table: its rows in the order of their writes.
#[derive(Debug, Default)]
pub struct Stream {
    /// The rows that have not been published yet.
    pub rows: VecDeque<Change>,
    /// How often the first row has been attempted.
    pub attempts: u32,
    /// Whether an invocation of the relay is in progress.
    pub is_processing: bool,
    last_number: u64,
}

/// The last checked snapshot of each order, and the violations so far.
#[derive(Debug, Default)]
struct RuleLog {
    last: BTreeMap<OrderId, Snapshot>,
    violations: Vec<String>,
}

impl World {
    /// Creates an empty world.
    pub fn new(sim: Arc<Sim>, wiring: Arc<Wiring>, setup: &Setup) -> Arc<Self> {
        let queues = wiring.subscriptions.iter().cloned().map(Queue::new).collect();
        Arc::new_cyclic(|me| Self {
            sim,
            wiring,
            orders: InMemoryOrders::default(),
            inventory: InMemoryInventory::default(),
            payments: InMemoryPayments::default(),
            provider: InMemoryProvider::default(),
            queues: Mutex::new(queues),
            stream: Mutex::default(),
            emails: Mutex::default(),
            claims: Default::default(),
            email_replay_expired: AtomicBool::new(false),
            released: Mutex::default(),
            webhook_count: AtomicU64::new(0),
            observed: Observed::default(),
            contradict: setup.contradict,
            mutation: setup.mutation,
            redeliver_after: setup.redeliver_after,
            rule_log: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// Whether this mutation is active.
    pub fn has_mutation(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn me(&self) -> Arc<Self> {
        self.me.upgrade().unwrap_or_else(|| unreachable!("the world outlives the run"))
    }

    /// Adds a new row of the outbox to its stream.
    pub fn row_inserted(&self, event: &Event) {
        self.observed.written(event);
        if self.sim.should_inject(|rates| rates.skip_row) {
            self.sim.log(|| format!("the stream skips {} of {}", event.fact.name(), event.subject));
            return;
        }
        let mut stream = lock(&self.stream);
        stream.last_number = stream.last_number.saturating_add(1);
        let sequence_number = stream.last_number.to_string();
        let event = serde_json::to_string(event).unwrap_or_default();
        let image = Some(json!({ "event": event }));
        stream.rows.push_back(Change { sequence_number, keys: serde_json::Value::Null, new_image: image });
        drop(stream);
        lambda::poll_stream(&self.me(), self.sim.random_delay(Duration::from_secs(1)));
    }

    /// Puts an event onto the bus, which delivers it at least once to every queue that subscribes to it.
    pub fn route(&self, event: &Event) {
        self.observed.accepted(event.id);
        let mut detail = json!(event);
        if self.sim.should_inject(|rates| rates.old_schema) {
            detail = publisher::in_old_schema(detail);
        }
        self.deliver_to_subscribers(event.fact.name(), &event.source, &detail);
        publisher::may_contradict(&self.me(), event);
    }

    /// The message with an event of this type, as a queue gets it from the bus.
    pub fn message(name: &str, detail: &Value) -> Arc<str> {
        json!({ "detail-type": name, "detail": detail }).to_string().into()
    }

    /// Delivers an event to every queue whose rule matches its type and its source.
    pub fn deliver_to_subscribers(&self, name: &str, source: &str, detail: &Value) {
        let body = Self::message(name, detail);
        for (index, subscription) in self.wiring.subscriptions.iter().enumerate() {
            let has_source = subscription.sources.iter().any(|owner| owner == source)
                || self.has_mutation(Mutation::IgnoreEventSource);
            let wants = has_source && subscription.event_types.iter().any(|wanted| wanted == name);
            if wants && !subscription.is_observer {
                self.deliver(index, &body);
                if let Some(later) = self.redeliver_after {
                    let (world, body) = (self.me(), Arc::clone(&body));
                    self.sim.scheduler.schedule_in_flight(later, move || world.send(index, body));
                }
                if self.sim.should_inject(|rates| rates.duplicate) {
                    self.sim.log(|| format!("{} receives {name} twice", subscription.function));
                    self.deliver(index, &body);
                }
            }
        }
    }

    fn deliver(&self, queue: usize, body: &Arc<str>) {
        let late = self.sim.should_inject(|rates| rates.delay);
        let delay = self.sim.random_delay(if late { self.max_delay() } else { Duration::from_millis(500) });
        if late {
            self.sim.disturb(delay);
        }
        let (world, body) = (self.me(), Arc::clone(body));
        self.sim.scheduler.schedule_in_flight(delay, move || world.send(queue, body));
    }

    fn max_delay(&self) -> Duration {
        self.sim.rates().map_or(Duration::ZERO, |rates| rates.max_delay)
    }

    /// Whether a message states something else about an order than what was ordered.
    pub fn contradicts_order(&self, body: &str) -> bool {
        let event = serde_json::from_str::<Value>(body).unwrap_or_default()["detail"].take();
        let Ok(event) = serde_json::from_value::<Event>(event) else {
            return self.observed.is_contradiction(body);
        };
        let own = self.orders.all().remove(&event.subject).map(|order| order.details);
        let ordered = own.or_else(|| self.observed.foreign_orders().remove(&event.subject));
        let stated = publisher::stated_order(&event.fact);
        self.observed.is_contradiction(body) || stated.is_some_and(|stated| ordered.as_ref() != Some(stated))
    }

    /// Puts a message into a queue.
    pub fn send(self: &Arc<Self>, queue: usize, body: Arc<str>) {
        let now = self.sim.scheduler.now();
        if let Some(queue) = lock(&self.queues).get_mut(queue) {
            queue.send(body, now);
        }
        lambda::poll_queue(self, queue, self.sim.random_delay(Duration::from_millis(200)));
    }

    /// The order that a PaymentIntent pays for.
    pub fn order_of(&self, intent: &PaymentIntentId) -> Option<OrderId> {
        self.provider.intents().into_iter().find(|(id, ..)| id == intent.as_str()).map(|(_, order, _)| order)
    }

    /// Records a violation.
    pub fn report_violation(&self, what: String) {
        self.sim.log(|| format!("VIOLATION {what}"));
        lock(&self.rule_log).violations.push(what);
    }

    /// The violations so far.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.rule_log).violations.clone()
    }

    /// Checks the rules after a change of an order's records.
    pub fn check_order(&self, order: OrderId) {
        let snapshot = self.snapshot_of(order);
        let before = lock(&self.rule_log).last.insert(order, snapshot.clone()).unwrap_or_default();
        let mut found = check_transition(&before, &snapshot);
        let is_held = |snapshot: &Snapshot| {
            let mut states = snapshot.reservations.values().map(|reservation| reservation.state.name());
            states.any(|state| state == "held")
        };
        if lock(&self.released).contains(&order) && is_held(&snapshot) && !is_held(&before) {
            self.report_violation(format!(
                "FinalStays: stock is held for order {order}, which was released before"
            ));
        }
        if before.reservations == snapshot.reservations {
            found.extend(check(&snapshot, self.phase()));
        } else {
            found.extend(check(&self.snapshot(), self.phase()));
        }
        for violation in found {
            self.report_violation(violation.to_string());
        }
    }

    fn phase(&self) -> Phase {
        Phase::Running { now: self.sim.now(), stuck_after: SignedDuration::MAX }
    }

    /// The snapshot of a single order.
    fn snapshot_of(&self, order: OrderId) -> Snapshot {
        let payment = now(Payments::get(&self.payments, order)).ok().flatten();
        let stored = now(Orders::get(&self.orders, order)).ok().flatten();
        let reservation = now(Reservations::get(&self.inventory, order)).ok().flatten();
        Snapshot {
            orders: stored.map(|stored| (order, stored.value)).into_iter().collect(),
            reservations: reservation.map(|found| (order, found)).into_iter().collect(),
            payments: payment.map(|payment| (order, payment)).into_iter().collect(),
            intents: self.intents(Some(order)),
            emails: lock(&self.emails).iter().filter(|email| email.order_id == order).cloned().collect(),
            ..Snapshot::default()
        }
    }

    fn intents(&self, only: Option<OrderId>) -> Vec<Intent> {
        let all = self.provider.intents().into_iter();
        all.filter(|(_, order, _)| only.is_none_or(|id| id == *order))
            .filter_map(|(id, order_id, captured)| {
                Some(Intent { id: id.parse().ok()?, order_id, captured, refunded: 0 })
            })
            .collect()
    }

    /// The snapshot of the whole system.
    pub fn snapshot(&self) -> Snapshot {
        let products = self.inventory.products();
        let stock = |product: &inventory::product::Product| Stock {
            available: i64::from(product.available),
            held: i64::from(product.held),
            sold: i64::from(product.sold),
        };
        let delivered = |(sku, quantity): (Sku, u64)| (sku, i64::try_from(quantity).unwrap_or(i64::MAX));
        let queues = lock(&self.queues);
        Snapshot {
            orders: self.orders.all(),
            reservations: self.inventory.reservations(),
            stock: products.iter().map(|product| (product.sku.clone(), stock(product))).collect(),
            delivered: self.inventory.delivered().into_iter().map(delivered).collect(),
            intents: self.intents(None),
            payments: self.payments.all(),
            emails: lock(&self.emails).clone(),
            outbox: self.orders.pending_events().into_iter().map(|event| (event.id, event)).collect(),
            queued_messages: queues
                .iter()
                .map(|queue| {
                    (
                        queue.subscription.function.clone(),
                        u64::try_from(queue.messages.len()).unwrap_or(u64::MAX),
                    )
                })
                .collect(),
            dead_letters: Vec::new(),
        }
    }

    /// The content of the tables by logical id, as JSON.
    pub fn stored(&self) -> BTreeMap<&'static str, String> {
        let claims: Vec<_> = self.claims.claims().into_values().map(|(claim, _)| claim).collect();
        let reservations: Vec<_> = self.inventory.reservations().into_values().collect();
        BTreeMap::from([
            ("OrdersTable", json!(self.orders.all().into_values().collect::<Vec<_>>())),
            ("OutboxTable", json!(self.orders.pending_events())),
            ("IdempotencyTable", json!(self.orders.idempotency_records())),
            ("ReservationsTable", json!(reservations)),
            ("ProductsTable", json!(self.inventory.products())),
            ("PaymentsTable", json!(self.payments.all().into_values().collect::<Vec<_>>())),
            ("EmailsTable", json!(claims)),
        ])
        .into_iter()
        .map(|(table, rows)| (table, rows.to_string()))
        .collect()
    }

    /// Whether any order is not final yet.
    pub fn has_open_orders(&self) -> bool {
        self.orders.all().into_values().any(|order| !order.status().is_final())
    }

    /// Whether nothing is in progress any more.
    pub fn is_idle(&self) -> bool {
        self.sim.scheduler.is_idle()
            && lock(&self.stream).rows.is_empty()
            && lock(&self.queues).iter().all(|queue| queue.messages.is_empty())
            && self.orders.pending_events().is_empty()
    }
}
