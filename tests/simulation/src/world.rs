//! Everything outside the functions: tables, the provider, the mailbox, the bus, the queues and the streams.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use domain::{Event, OrderId, PaymentIntentId};
use invariants::Email;
use invariants::history::History;
use inventory::adapters::memory::InMemoryInventory;
use jiff::Timestamp;
use orders::adapters::memory::InMemoryOrders;
use orders::store::Stored;
use payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use platform::host::stream::Change;
use platform::lock;
use platform::memory::Bucket;
use platform::objects::ObjectStore;
use serde_json::{Value, json};

use crate::lambda;
use crate::mutation::Mutation;
use crate::observed::Observed;
use crate::ports::now;
use crate::publisher::{self, Contradiction};
use crate::queue::Queue;
use crate::recording::Recording;
use crate::services::{self, Function, Service};
use crate::setup::Setup;
use crate::sim::Sim;
use crate::snapshot::RuleLog;
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
    /// The streams of tables, in the order of the wiring.
    pub streams: Mutex<Vec<Stream>>,
    /// Until when the schedules have been run.
    pub schedules_run_at: Mutex<Timestamp>,
    /// The scheduled functions whose last run failed, after all of its retries.
    pub failed_jobs: Mutex<BTreeSet<&'static str>>,
    /// The number of invocations of scheduled functions in progress.
    pub running_jobs: AtomicU64,
    /// The services that run besides the order process.
    pub services: Vec<&'static dyn Service>,
    /// The parts that belong to these services.
    pub parts: services::Parts,
    /// The emails sent so far.
    pub emails: Mutex<Vec<Email>>,
    /// The idempotency records of emails.
    pub claims: platform::idempotency::InMemoryIdempotencyStore,
    /// Whether a replay is so late that an email goes to the dead-letter queue, because its idempotency
    /// record may have expired.
    pub email_replay_expired: AtomicBool,
    /// The metrics of the run, if they are recorded.
    pub recording: Option<Recording>,
    /// The functions whose schedule or event source mapping is disabled.
    pub stopped: Mutex<BTreeSet<&'static str>>,
    /// The orders whose release the inventory has confirmed.
    pub released: Mutex<BTreeSet<OrderId>>,
    /// The number of webhooks that the provider has created.
    pub webhook_count: AtomicU64,
    buckets: Mutex<BTreeMap<&'static str, Arc<Bucket>>>,
    /// The functions of the queues and of the streams; `None` for those that do not run.
    functions: [Vec<Option<Function>>; 2],
    /// What the clients requested and saw, and the states that the orders had.
    pub history: Mutex<History>,
    /// The last replaced state of each order, for [`Mutation::StaleRead`].
    pub(crate) replaced: Mutex<BTreeMap<OrderId, (Duration, Stored)>>,
    /// What happened that the tables do not show.
    pub observed: Observed,
    /// How a publisher contradicts each event, if it always does.
    pub contradict: Option<Contradiction>,
    mutation: Option<Mutation>,
    redeliver_after: Option<Duration>,
    pub(crate) rule_log: Mutex<RuleLog>,
    me: Weak<Self>,
}

/// The stream of a table: its changes in their order.
#[derive(Debug, Default)]
pub struct Stream {
    /// The changes that have not been handled yet.
    pub changes: VecDeque<Change>,
    /// When each change was made, by its number.
    pub made_at: BTreeMap<String, Duration>,
    /// How often the first change has been attempted.
    pub attempts: u32,
    /// Whether an invocation of the function is in progress.
    pub is_processing: bool,
    /// The changes that were skipped after their last attempt. On AWS, the dead-letter queue names them.
    pub exhausted: Vec<Change>,
    last_number: u64,
}

impl World {
    /// Creates an empty world, with the services that the setup names.
    pub fn new(sim: Arc<Sim>, wiring: Arc<Wiring>, setup: &Setup) -> Arc<Self> {
        let queues = wiring.subscriptions.iter().cloned().map(Queue::new).collect();
        let streams = wiring.streams.iter().map(|_| Stream::default()).collect();
        let names = setup.services.iter();
        let services: Vec<_> = names.map(|name| services::optional_service(name)).collect();
        let running = |id: &String| services::running(id, &services);
        let functions = [
            wiring.subscriptions.iter().map(|it| running(&it.function)).collect(),
            wiring.streams.iter().map(|it| running(&it.function)).collect(),
        ];
        let schedules_run_at = Mutex::new(sim.now());
        Arc::new_cyclic(|me| Self {
            sim,
            wiring,
            orders: InMemoryOrders::default(),
            inventory: InMemoryInventory::default(),
            payments: InMemoryPayments::default(),
            provider: InMemoryProvider::default(),
            queues: Mutex::new(queues),
            streams: Mutex::new(streams),
            schedules_run_at,
            failed_jobs: Mutex::default(),
            running_jobs: AtomicU64::new(0),
            services,
            parts: services::Parts::default(),
            emails: Mutex::default(),
            claims: Default::default(),
            email_replay_expired: AtomicBool::new(false),
            recording: setup.is_recorded.then(Recording::default),
            stopped: Mutex::default(),
            released: Mutex::default(),
            webhook_count: AtomicU64::new(0),
            buckets: Mutex::default(),
            functions,
            history: Mutex::default(),
            replaced: Mutex::default(),
            observed: Observed::default(),
            contradict: setup.contradict,
            mutation: setup.mutation,
            redeliver_after: setup.redeliver_after,
            rule_log: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    /// The function that reads a queue, if it runs.
    pub fn queue_function(&self, queue: usize) -> Option<Function> {
        self.functions[0].get(queue).copied().flatten()
    }

    /// The function that reads a stream, if it runs.
    pub fn stream_function(&self, stream: usize) -> Option<Function> {
        self.functions[1].get(stream).copied().flatten()
    }

    /// Whether the schedule or the event source mapping of a function is disabled.
    pub fn is_stopped(&self, function: &str) -> bool {
        lock(&self.stopped).contains(function)
    }

    /// The function with this logical id, if it runs.
    pub fn running(&self, id: &str) -> Option<Function> {
        services::running(id, &self.services)
    }

    /// The bucket with this logical id.
    pub fn bucket(&self, name: &'static str) -> Arc<Bucket> {
        let new = || Arc::new(Bucket::with_min_part_bytes(1));
        Arc::clone(lock(&self.buckets).entry(name).or_insert_with(new))
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
        let event = serde_json::to_string(event).unwrap_or_default();
        let image = Some(json!({ "event": event }));
        self.table_changed("OutboxTable", "INSERT", Value::Null, image);
    }

    /// Adds a change of an item to the streams of its table. The kind of the change is `INSERT`, `MODIFY` or
    /// `REMOVE`; a removed item has no image.
    pub fn table_changed(&self, table: &str, kind: &str, keys: Value, new_image: Option<Value>) {
        for (index, mapping) in self.wiring.streams.iter().enumerate() {
            let passes =
                mapping.event_names.is_empty() || mapping.event_names.iter().any(|name| name == kind);
            if mapping.table != table || !passes || self.stream_function(index).is_none() {
                continue;
            }
            let mut streams = lock(&self.streams);
            let Some(stream) = streams.get_mut(index) else { return };
            stream.last_number = stream.last_number.saturating_add(1);
            let sequence_number = stream.last_number.to_string();
            if self.recording.is_some() {
                stream.made_at.insert(sequence_number.clone(), self.sim.scheduler.now());
            }
            let (keys, new_image) = (keys.clone(), new_image.clone());
            stream.changes.push_back(Change { sequence_number, keys, new_image });
            drop(streams);
            lambda::poll_stream(&self.me(), index, self.sim.random_delay(Duration::from_secs(1)));
        }
    }

    /// Puts an event onto the bus, which delivers it at least once to every queue that subscribes to it.
    pub fn route(&self, event: &Event) {
        for service in &self.services {
            service.published(self, event);
        }
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
            if has_source && subscription.event_types.iter().any(|wanted| wanted == name) {
                self.deliver_at_least_once(index, &body, name);
            }
        }
    }

    /// Reports the creation of an object, as S3 does, at least once to every queue that waits for it.
    pub fn object_created(&self, bucket: &'static str, key: &str) {
        for (index, subscription) in self.wiring.subscriptions.iter().enumerate() {
            let filter = subscription.objects.as_ref();
            if filter.is_some_and(|filter| filter.bucket == bucket && key.starts_with(&filter.prefix)) {
                let body = now(self.bucket(bucket).read(key, 0, None)).ok().flatten().map(|object| {
                    // The name is that of the deployed bucket.
                    json!({
                        "source": "aws.s3", "detail-type": "Object Created",
                        "detail": {
                            "bucket": { "name": bucket },
                            "object": { "key": key, "etag": object.etag.trim_matches('"'), "size": object.size },
                        },
                    })
                });
                if let Some(body) = body {
                    self.deliver_at_least_once(index, &body.to_string().into(), "Object Created");
                }
            }
        }
    }

    fn deliver_at_least_once(&self, queue: usize, body: &Arc<str>, what: &str) {
        let Some(function) = self.queue_function(queue) else { return };
        self.deliver(queue, body);
        if let Some(later) = self.redeliver_after {
            let (world, body) = (self.me(), Arc::clone(body));
            self.sim.scheduler.schedule_in_flight(later, move || world.send(queue, body));
        }
        if self.sim.should_inject(|rates| rates.duplicate) {
            self.sim.log(|| format!("{} receives {what} twice", function.name));
            self.deliver(queue, body);
        }
    }

    /// Sends a message to the queue of a function, by the name of its binary.
    pub fn send_to(&self, function: &str, body: &str) {
        let index = (0..self.wiring.subscriptions.len())
            .find(|index| self.queue_function(*index).is_some_and(|found| found.name == function));
        if let Some(index) = index {
            self.me().send(index, body.into());
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
            self.record_sent(&queue.subscription.queue);
        }
        lambda::poll_queue(self, queue, self.sim.random_delay(Duration::from_millis(200)));
    }

    /// The order that a PaymentIntent pays for.
    pub fn order_of(&self, intent: &PaymentIntentId) -> Option<OrderId> {
        self.provider.intents().into_iter().find(|(id, ..)| id == intent.as_str()).map(|(_, order, _)| order)
    }

    /// Whether any order is not final yet.
    pub fn has_open_orders(&self) -> bool {
        self.orders.all().into_values().any(|order| !order.status().is_final())
    }

    /// Whether nothing is in progress any more.
    pub fn is_idle(&self) -> bool {
        self.sim.scheduler.is_idle()
            && self.running_jobs.load(Ordering::Relaxed) == 0
            && lock(&self.streams).iter().all(|stream| stream.changes.is_empty())
            && lock(&self.queues).iter().all(|queue| queue.messages.is_empty())
            && self.orders.pending_events().is_empty()
    }
}
