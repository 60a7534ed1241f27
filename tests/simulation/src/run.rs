//! One complete run: clients place orders while faults occur, the faults stop, the system settles, and much
//! later every message is sent again.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::PaymentIntentId;
use domain::order::OrderStatus;
use invariants::{Phase, Snapshot, check, check_transition};
use payments::provider::Provider;
use platform::lock;

use crate::clients::{self, ClientLog, OrderRequest};
use crate::expectations;
use crate::faults::{FaultRates, Plan};
use crate::foreign_reports;
use crate::lambda;
use crate::mutation::Mutation;
use crate::ports::now;
use crate::publisher::Contradiction;
use crate::sim::Sim;
use crate::staff;
use crate::webhooks;
use crate::wiring::Wiring;
use crate::world::World;

/// The interval of the schedule.
const MINUTE: Duration = Duration::from_secs(60);
/// The maximum time until the system has settled after the last fault: up to ten retries wait up to 15 minutes
/// each, and an order that expires, or whose cancellation request is repeated, waits for hours.
const MAX_SETTLING_MINUTES: u32 = 12 * 60;
const DAY: u64 = 24 * 3600;
/// When every message is sent again: later than Stripe keeps idempotency keys and than a queue keeps
/// messages; and later than the idempotency records of emails are kept.
const REPLAYS: [(Duration, &str); 2] =
    [(Duration::from_secs(20 * DAY), "20 days later"), (Duration::from_secs(60 * DAY), "80 days later")];

/// The parameters of a run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The seed of all randomness.
    pub seed: u64,
    /// The faults to inject.
    pub plan: Plan,
    /// The protection that is switched off, if any.
    pub mutation: Option<Mutation>,
    /// The initial stock of each product.
    pub stock: [u32; 2],
    /// The orders that clients place.
    pub requests: Vec<OrderRequest>,
    /// What the staff do meanwhile.
    pub tasks: Vec<staff::Task>,
    /// For how many minutes faults occur.
    pub fault_minutes: u32,
    /// After which time every delivered message is delivered a second time, if at all.
    pub redeliver_after: Option<Duration>,
    /// How a publisher contradicts each event on the bus, if it always does.
    pub contradict: Option<Contradiction>,
    /// Whether every message is sent again at the end.
    pub replay: bool,
    /// Whether a trace is recorded.
    pub trace: bool,
}

impl Setup {
    /// The random run of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let is_short = rng.u8(0..4) == 0;
        let rates = FaultRates::random(&mut rng, is_short);
        Self {
            seed,
            plan: Plan::Random(rates),
            mutation: None,
            stock: [rng.u32(0..=8), rng.u32(0..=4)],
            requests: (0..rng.usize(1..=4)).map(|_| OrderRequest::random(&mut rng)).collect(),
            tasks: (0..rng.usize(0..=3)).map(|_| staff::Task::random(&mut rng)).collect(),
            fault_minutes: if is_short { rng.u32(2..=4) } else { rng.u32(2..=90) },
            redeliver_after: None,
            contradict: None,
            replay: true,
            trace: false,
        }
    }

    /// A run of these orders without faults.
    pub fn without_faults(stock: [u32; 2], requests: Vec<OrderRequest>) -> Self {
        Self {
            seed: 0,
            plan: Plan::NoFaults,
            mutation: None,
            stock,
            requests,
            tasks: Vec::new(),
            fault_minutes: 5,
            redeliver_after: None,
            contradict: None,
            replay: false,
            trace: false,
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The violations, in the order of their detection.
    pub violations: Vec<String>,
    /// The trace, if one was recorded.
    pub trace: Vec<String>,
    /// The names of the calls by the functions and clients, in their order: the first has the number 1.
    pub calls: Vec<&'static str>,
    /// The number of orders by final status.
    pub order_statuses: BTreeMap<OrderStatus, u32>,
    /// The state of the system at the end.
    pub final_snapshot: Snapshot,
}

/// Executes a run.
pub fn run(setup: &Setup, wiring: &Arc<Wiring>) -> Outcome {
    run_and_inspect(setup, wiring, |_| ()).0
}

/// Executes a run, and returns what `inspect` finds in the world at its end.
pub fn run_and_inspect<T>(
    setup: &Setup,
    wiring: &Arc<Wiring>,
    inspect: impl FnOnce(&World) -> T,
) -> (Outcome, T) {
    let sim = Sim::new(setup.seed, setup.plan.clone(), setup.trace);
    let world = World::new(sim, Arc::clone(wiring), setup);
    clients::stock_up(&world, setup.stock);
    let client_log = Arc::new(Mutex::new(ClientLog::default()));
    for (number, order_request) in setup.requests.iter().enumerate() {
        clients::start(&world, number, order_request.clone(), &client_log);
    }
    for (number, task) in setup.tasks.iter().enumerate() {
        staff::start(&world, number, *task);
    }
    for _ in 0..setup.fault_minutes {
        run_minute(&world);
        if world.sim.random(|rng| rng.u8(0..50)) == 0 {
            lambda::redrive(&world);
        }
    }
    world.sim.stop_faults();
    settle(&world, &client_log);
    let settled = world.snapshot();
    check_settled(&world, &client_log, &settled);
    if setup.replay {
        replay(&world, &settled);
    }
    let final_snapshot = world.snapshot();
    let mut order_statuses = BTreeMap::new();
    for order in final_snapshot.orders.values() {
        *order_statuses.entry(order.status()).or_default() += 1;
    }
    let outcome = Outcome {
        violations: world.violations(),
        trace: world.sim.trace(),
        calls: world.sim.calls(),
        order_statuses,
        final_snapshot,
    };
    (outcome, inspect(&world))
}

/// Runs for a minute, then invokes the scheduled function.
fn run_minute(world: &Arc<World>) {
    world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(MINUTE));
    provider_minute(world);
    // Without open orders and outbox rows, the scheduled function would find nothing to do.
    if world.has_open_orders() || !world.orders.pending_events().is_empty() {
        lambda::run_schedule(world);
    }
}

/// What happens at the provider within a minute: payments are processed, a person may cancel one, and webhooks
/// are sent, some of them not by the provider.
fn provider_minute(world: &Arc<World>) {
    if world.sim.should_inject(|rates| rates.slow_processing) {
        world.sim.disturb(MINUTE);
    } else {
        world.provider.complete_processing();
    }
    if world.sim.should_inject(|rates| rates.cancel_intent) {
        let intents = world.provider.intents();
        let chosen = world.sim.random(|rng| rng.choice(intents));
        if let Some((intent, order)) =
            chosen.and_then(|(intent, order, _)| Some((intent.parse::<PaymentIntentId>().ok()?, order)))
        {
            world.sim.log(|| format!("a person cancels {intent} at the provider"));
            world.observed.cancelled_at_provider(order);
            drop(now(world.provider.cancel(&intent)));
            world.check_order(order);
        }
    }
    webhooks::send_webhooks(world);
    foreign_reports::may_send(world);
}

/// Runs without faults until nothing is in progress any more. Dead-letter messages are redriven.
fn settle(world: &Arc<World>, client_log: &Arc<Mutex<ClientLog>>) {
    for _ in 0..MAX_SETTLING_MINUTES {
        run_minute(world);
        // Includes the invocation by the schedule.
        world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(Duration::from_secs(1)));
        if !world.is_idle() || lock(client_log).active_clients > 0 {
            continue;
        }
        if lambda::redrive(world) == 0 && !world.has_open_orders() {
            return;
        }
    }
    world.report_violation("NothingHangs: the system has not settled long after the last fault".to_owned());
}

fn check_settled(world: &World, client_log: &Mutex<ClientLog>, settled: &Snapshot) {
    expectations::check_settled(world, settled);
    for violation in check(settled, Phase::Settled) {
        world.report_violation(violation.to_string());
    }
    let client_log = lock(client_log);
    for (number, order) in &client_log.orders {
        if !settled.orders.contains_key(order) {
            world.report_violation(format!(
                "client {number} got the id of order {order}, which does not exist"
            ));
        }
    }
    for (number, body) in &client_log.refused {
        if client_log.accepted.get(number) == Some(body) {
            world.report_violation(format!("the request of client {number} was refused as another one"));
        }
    }
    let customers: std::collections::BTreeSet<_> =
        settled.orders.values().map(|order| &order.details.customer.id).collect();
    if customers.len() < settled.orders.len() {
        world.report_violation("one idempotency key created two orders".to_owned());
    }
}

/// Sends every message again, once after the provider has forgotten its idempotency keys, and once after the
/// idempotency records of emails have expired too. Nothing may change: an email that late goes to the
/// dead-letter queue.
fn replay(world: &Arc<World>, settled: &Snapshot) {
    for (later, what) in REPLAYS {
        world.sim.log(|| format!("{what}: every message is sent again"));
        world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(later));
        world.provider.forget_keys();
        world.claims.remove_expired(world.sim.now());
        world.email_replay_expired.store(world.claims.claims().is_empty(), Ordering::Relaxed);
        let histories: Vec<_> =
            lock(&world.queues).iter().map(|queue| queue.distinct_history()).enumerate().collect();
        for (queue, history) in histories {
            for body in history {
                world.send(queue, body);
            }
        }
        for _ in 0..MAX_SETTLING_MINUTES {
            world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(MINUTE));
            if world.is_idle() {
                break;
            }
        }
        let after = world.snapshot();
        for violation in check_transition(settled, &after).into_iter().chain(check(&after, Phase::Settled)) {
            world.report_violation(format!("{what}, after every message was sent again: {violation}"));
        }
        if *settled != after {
            let parts = difference(settled, &after);
            world.report_violation(format!(
                "FinalStays: {what}, sending every message again changed {parts:?}"
            ));
        }
    }
}

/// The parts in which two snapshots differ.
fn difference(before: &Snapshot, after: &Snapshot) -> Vec<&'static str> {
    [
        ("orders", before.orders != after.orders),
        ("reservations", before.reservations != after.reservations),
        ("payments", before.payments != after.payments),
        ("the provider", before.intents != after.intents),
        ("stock", before.stock != after.stock),
        ("emails", before.emails != after.emails),
        ("outbox", before.outbox != after.outbox),
        ("queues", before.queued_messages != after.queued_messages),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
