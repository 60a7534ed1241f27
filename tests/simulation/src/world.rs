//! Everything outside of the functions: tables, the provider, the mailbox, the bus, the queues and the stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use domain::{Event, OrderId, PaymentIntentId, Sku};
use invariants::{Intent, Mail, Snapshot, Stock, When, check, check_transition};
use inventory::adapters::memory::InMemoryInventory;
use inventory::store::Reservations;
use jiff::SignedDuration;
use orders::adapters::memory::InMemoryOrders;
use orders::store::Orders;
use payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use payments::store::Payments;
use platform::host::stream::Change;
use platform::memory::lock;
use serde_json::json;

use crate::lambda;
use crate::planted::Planted;
use crate::ports::now;
use crate::queue::Queue;
use crate::sim::Sim;
use crate::wiring::Wiring;

/// Everything outside of the functions.
pub struct World {
    /// The run.
    pub sim: Arc<Sim>,
    /// Who listens to what.
    pub wiring: Arc<Wiring>,
    /// Orders, outbox and idempotency keys.
    pub orders: InMemoryOrders,
    /// Products and reservations.
    pub inventory: InMemoryInventory,
    /// Payment records.
    pub payments: InMemoryPayments,
    /// Who charges.
    pub provider: InMemoryProvider,
    /// The queues, in the order of the wiring's subscriptions.
    pub queues: Mutex<Vec<Queue>>,
    /// The outbox's stream.
    pub stream: Mutex<Stream>,
    /// The mails that were sent.
    pub mails: Mutex<Vec<Mail>>,
    /// Who may send which mail.
    pub claims: platform::idempotency::InMemoryIdempotencyStore,
    /// Whether it is so late that a mail is no longer sent without a person.
    pub too_late_for_mails: AtomicBool,
    /// The orders whose stock the inventory said it released.
    pub released: Mutex<BTreeSet<OrderId>>,
    /// How many reports the provider has made.
    pub reports: AtomicU64,
    planted: Option<Planted>,
    double: Option<Duration>,
    watch: Mutex<Watch>,
    me: Weak<Self>,
}

/// The stream: rows in the order in which they were written.
#[derive(Debug, Default)]
pub struct Stream {
    /// What has not been published yet.
    pub rows: VecDeque<Change>,
    /// How often the first row has been tried.
    pub attempts: u32,
    /// Whether the relay is at it.
    pub busy: bool,
    numbers: u64,
}

/// What the rules said so far.
#[derive(Debug, Default)]
struct Watch {
    last: BTreeMap<OrderId, Snapshot>,
    violations: Vec<String>,
}

impl World {
    /// An empty one.
    pub fn new(
        sim: Arc<Sim>,
        wiring: Arc<Wiring>,
        planted: Option<Planted>,
        double: Option<Duration>,
    ) -> Arc<Self> {
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
            mails: Mutex::default(),
            claims: Default::default(),
            too_late_for_mails: AtomicBool::new(false),
            released: Mutex::default(),
            reports: AtomicU64::new(0),
            planted,
            double,
            watch: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// Whether this protection is switched off.
    pub fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    fn me(&self) -> Arc<Self> {
        self.me.upgrade().unwrap_or_else(|| unreachable!("the world outlives what happens in it"))
    }

    /// The outbox has a new row: its stream tells the relay.
    pub fn row_inserted(&self, event: &Event) {
        if self.sim.strikes(|swarm| swarm.miss_row) {
            self.sim.note(|| format!("the stream passes over {} of {}", event.fact.name(), event.subject));
            return;
        }
        let mut stream = lock(&self.stream);
        stream.numbers = stream.numbers.saturating_add(1);
        let sequence_number = stream.numbers.to_string();
        let event = serde_json::to_string(event).unwrap_or_default();
        let image = Some(serde_json::json!({ "event": event }));
        stream.rows.push_back(Change { sequence_number, keys: serde_json::Value::Null, new_image: image });
        drop(stream);
        lambda::poll_stream(&self.me(), self.sim.soon(Duration::from_secs(1)));
    }

    /// The bus takes an event and delivers it to every queue whose rule wants it, at least once.
    pub fn route(&self, event: &Event) {
        let body: Arc<str> = json!({ "detail-type": event.fact.name(), "detail": event }).to_string().into();
        for (index, subscription) in self.wiring.subscriptions.iter().enumerate() {
            let wants = subscription.types.iter().any(|name| name == event.fact.name());
            if wants && !subscription.observes {
                self.deliver(index, &body);
                if let Some(later) = self.double {
                    let (world, body) = (self.me(), Arc::clone(&body));
                    self.sim.scheduler.under_way(later, move || world.send(index, body));
                }
                if self.sim.strikes(|swarm| swarm.duplicate) {
                    self.sim.note(|| format!("{} gets {} twice", subscription.function, event.fact.name()));
                    self.deliver(index, &body);
                }
            }
        }
    }

    fn deliver(&self, queue: usize, body: &Arc<str>) {
        let late = self.sim.strikes(|swarm| swarm.delay);
        let delay = self.sim.soon(if late { Duration::from_secs(3600) } else { Duration::from_millis(500) });
        let (world, body) = (self.me(), Arc::clone(body));
        self.sim.scheduler.under_way(delay, move || world.send(queue, body));
    }

    /// Puts a message into a queue.
    pub fn send(self: &Arc<Self>, queue: usize, body: Arc<str>) {
        let now = self.sim.scheduler.now();
        if let Some(queue) = lock(&self.queues).get_mut(queue) {
            queue.send(body, now);
        }
        lambda::poll_queue(self, queue, self.sim.soon(Duration::from_millis(200)));
    }

    /// The order that a PaymentIntent is for.
    pub fn order_of(&self, intent: &PaymentIntentId) -> Option<OrderId> {
        self.provider.intents().into_iter().find(|(id, ..)| id == intent.as_str()).map(|(_, order, _)| order)
    }

    /// Notes what must not be.
    pub fn violated(&self, what: String) {
        self.sim.note(|| format!("VIOLATION {what}"));
        lock(&self.watch).violations.push(what);
    }

    /// What must not be, and was, so far.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.watch).violations.clone()
    }

    /// Checks the rules after something has happened to an order.
    pub fn look(&self, order: OrderId) {
        let snapshot = self.snapshot_of(order);
        let before = lock(&self.watch).last.insert(order, snapshot.clone()).unwrap_or_default();
        let mut found = check_transition(&before, &snapshot);
        let is_held = |snapshot: &Snapshot| {
            let mut states = snapshot.reservations.values().map(|reservation| reservation.state.name());
            states.any(|state| state == "held")
        };
        if lock(&self.released).contains(&order) && is_held(&snapshot) && !is_held(&before) {
            self.violated(format!("FinalStays: stock is held for order {order}, which was released before"));
        }
        if before.reservations == snapshot.reservations {
            found.extend(check(&snapshot, self.when()));
        } else {
            found.extend(check(&self.snapshot(), self.when()));
        }
        for violation in found {
            self.violated(violation.to_string());
        }
    }

    fn when(&self) -> When {
        When::Running { now: self.sim.now(), patience: SignedDuration::MAX }
    }

    /// All that concerns one order.
    fn snapshot_of(&self, order: OrderId) -> Snapshot {
        let payment = now(Payments::get(&self.payments, order)).ok().flatten();
        let stored = now(Orders::get(&self.orders, order)).ok().flatten();
        let reservation = now(Reservations::get(&self.inventory, order)).ok().flatten();
        Snapshot {
            orders: stored.map(|stored| (order, stored.order)).into_iter().collect(),
            reservations: reservation.map(|found| (order, found)).into_iter().collect(),
            payments: payment.map(|payment| (order, payment)).into_iter().collect(),
            intents: self.intents(Some(order)),
            mails: lock(&self.mails).iter().filter(|mail| mail.order_id == order).cloned().collect(),
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

    /// All there is.
    pub fn snapshot(&self) -> Snapshot {
        let products = self.inventory.products();
        let stock = |product: &inventory::product::Product| Stock {
            available: i64::from(product.available),
            held: i64::from(product.held),
            sold: i64::from(product.sold),
        };
        let delivered = |(sku, pieces): (Sku, u64)| (sku, i64::try_from(pieces).unwrap_or(i64::MAX));
        let queues = lock(&self.queues);
        Snapshot {
            orders: self.orders.all(),
            reservations: self.inventory.reservations(),
            stock: products.iter().map(|product| (product.sku.clone(), stock(product))).collect(),
            delivered: self.inventory.delivered().into_iter().map(delivered).collect(),
            intents: self.intents(None),
            payments: self.payments.all(),
            mails: lock(&self.mails).clone(),
            outbox: self.orders.waiting().into_iter().map(|event| (event.id, event)).collect(),
            queued: queues
                .iter()
                .map(|queue| {
                    (
                        queue.subscription.function.clone(),
                        u64::try_from(queue.messages.len()).unwrap_or(u64::MAX),
                    )
                })
                .collect(),
            dead: Vec::new(),
        }
    }

    /// Whether an order is not final yet.
    pub fn has_open_orders(&self) -> bool {
        self.orders.all().into_values().any(|order| !order.status().is_final())
    }

    /// Whether nothing is on its way any more.
    pub fn is_quiet(&self) -> bool {
        self.sim.scheduler.is_idle()
            && lock(&self.stream).rows.is_empty()
            && lock(&self.queues).iter().all(|queue| queue.messages.is_empty())
            && self.orders.waiting().is_empty()
    }
}
