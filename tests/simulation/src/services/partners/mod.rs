//! The partner service: `webhooks-api`, `deliver-webhook`, the partners that subscribe, and their receivers.

mod check;
mod clients;
mod ports;
pub mod receivers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{Event, OrderId};
use jiff::{SignedDuration, Timestamp};
use partners::adapters::memory::{InMemoryDeliveries, InMemoryPartners};
use partners::api::{Api, router};
use partners::deliver::DeliverWebhook;
use partners::delivery::Backoff;
use platform::lock;
use platform::publisher::NoPublisher;

use super::handler::Handler;
use super::{Assemble, Service};
use crate::ports::Ports;
use crate::world::World;
use ports::{DeliverQueue, RandomSecrets};
use receivers::{Receivers, Sender};

/// The delays between attempts, and how long a webhook may fail: the defaults of `template.yaml`.
const BACKOFF: Backoff = Backoff { base_delay: Duration::from_secs(5) };
const DISABLE_AFTER: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The maximum duration of a run until its first late replay.
const MAX_DURATION: SignedDuration = SignedDuration::from_hours(10 * 24);

/// The part of the world.
#[derive(Default)]
pub struct State {
    /// The subscriptions of the partners.
    pub subscriptions: InMemoryPartners,
    /// The records of the deliveries.
    pub deliveries: InMemoryDeliveries,
    /// The receivers of webhooks.
    pub receivers: Receivers,
    /// When a partner began to place each order, as far as the partner got its id.
    placed: Mutex<BTreeMap<OrderId, Timestamp>>,
    /// What partners know of their subscriptions, by the number of the subscription.
    pub known: Mutex<Vec<clients::Known>>,
}

/// The partner service.
pub struct Partners;

impl Service for Partners {
    fn name(&self) -> &'static str {
        "partners"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("webhooks-api", webhooks_api), ("deliver-webhook", deliver_webhook)]
    }

    fn start(&self, world: &Arc<World>) {
        clients::start(world);
    }

    fn expire_rows(&self, world: &World) {
        world.parts.partners.deliveries.remove_expired(world.sim.now());
    }

    fn check(&self, world: &World) -> Vec<String> {
        check::check(world)
    }
}

fn webhooks_api(ports: &Ports) -> Handler {
    let api = Api {
        partners: Arc::new(ports.clone()),
        deliveries: Arc::new(ports.clone()),
        queue: Arc::new(DeliverQueue(ports.clone())),
        secrets: Arc::new(RandomSecrets(ports.clone())),
        exempt: None,
        clock: Arc::new(ports.caller.clone()),
    };
    Handler::api(ports, router(api))
}

fn deliver_webhook(ports: &Ports) -> Handler {
    let handler = DeliverWebhook {
        partners: Arc::new(ports.clone()),
        deliveries: Arc::new(ports.clone()),
        client: Arc::new(Sender(ports.clone())),
        clock: Arc::new(ports.caller.clone()),
        backoff: BACKOFF,
        disable_after: DISABLE_AFTER,
    };
    Handler::queue(ports, handler, Arc::new(NoPublisher))
}

/// The events about orders that reached the queue of `deliver-webhook`, each once.
fn events(world: &World) -> Vec<Event> {
    let queues = lock(&world.queues);
    let queue = queues.iter().find(|queue| queue.subscription.function == "DeliverWebhook");
    let bodies = queue.map(crate::queue::Queue::distinct_history).unwrap_or_default();
    let event = |body: &Arc<str>| {
        let mut message: serde_json::Value = serde_json::from_str(body).ok()?;
        serde_json::from_value(message["detail"].take()).ok()
    };
    bodies.iter().filter_map(event).collect()
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}
