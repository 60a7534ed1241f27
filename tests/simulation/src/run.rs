//! One complete run: clients place orders while faults occur, the faults stop, the system settles, and much
//! later every message is sent again.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::order::OrderStatus;
use domain::{PaymentIntentId, SYNTHETIC_CUSTOMER_ID};
use invariants::{Phase, Snapshot, check, check_transition};
use payments::provider::Provider;
use platform::lock;

use crate::clients::{self, ClientLog};
use crate::expectations;
use crate::foreign_reports;
use crate::history;
use crate::lambda;
use crate::ports::now;
use crate::services;
pub use crate::setup::Setup;
use crate::sim::{Call, Sim};
use crate::staff;
use crate::webhooks;
use crate::wiring::Wiring;
use crate::world::World;

/// The interval of the schedule.
const MINUTE: Duration = Duration::from_secs(60);
/// The maximum time until the system has settled after the last fault: up to ten retries wait up to 15 minutes
/// each, an order that expires, or whose cancellation request is repeated, waits for hours, and the attempts of a
/// delivery to a partner take up to 42 hours.
const MAX_SETTLING_MINUTES: u32 = 48 * 60;
/// For how many minutes faults occur on the next morning.
pub const MORNING_MINUTES: u32 = 10;
const DAY: u64 = 24 * 3600;
/// When every message is sent again: later than Stripe keeps idempotency keys and than a queue keeps
/// messages; and later than the idempotency records of emails are kept.
const REPLAYS: [(Duration, &str); 2] =
    [(Duration::from_secs(20 * DAY), "20 days later"), (Duration::from_secs(60 * DAY), "80 days later")];

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The violations, in the order of their detection.
    pub violations: Vec<String>,
    /// The trace, if one was recorded.
    pub trace: Vec<String>,
    /// The calls by the functions and clients, in their order: the first has the number 1. Without the reads of the
    /// settled orders, which no fault can reach.
    pub calls: Vec<Call>,
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
    inspect: impl FnOnce(&Arc<World>) -> T,
) -> (Outcome, T) {
    let sim = Sim::new(setup.seed, setup.plan.clone(), setup.trace);
    let world = World::new(sim, Arc::clone(wiring), setup);
    clients::stock_up(&world, setup.stock);
    let client_log = Arc::new(Mutex::new(ClientLog::default()));
    for (number, order_request) in setup.requests.iter().enumerate() {
        clients::start(&world, number, order_request.clone(), &client_log);
        history::start_reading(&world, number, order_request.at, setup.reads);
    }
    for (number, task) in setup.tasks.iter().enumerate() {
        staff::start(&world, number, *task);
    }
    for service in &world.services {
        service.start(&world);
    }
    for _ in 0..setup.fault_minutes {
        run_minute(&world);
        if world.sim.random(|rng| rng.u8(0..50)) == 0 {
            lambda::redrive(&world);
        }
    }
    world.sim.stop_faults();
    settle(&world, &client_log);
    if !world.services.is_empty() {
        next_morning(&world);
        settle(&world, &client_log);
        if run_failed_jobs(&world) {
            settle(&world, &client_log);
        }
    }
    let settled = world.snapshot();
    check_settled(&world, &client_log, &settled);
    let mut calls = world.sim.calls();
    history::check_settled(&world, setup.requests.len());
    let before_replay = world.sim.calls().len();
    if setup.replay {
        replay(&world, &settled);
    }
    calls.extend(world.sim.calls().into_iter().skip(before_replay));
    let final_snapshot = world.snapshot();
    let mut order_statuses = BTreeMap::new();
    for order in final_snapshot.orders.values() {
        *order_statuses.entry(order.status()).or_default() += 1;
    }
    let outcome = Outcome {
        violations: world.violations(),
        trace: world.sim.trace(),
        calls,
        order_statuses,
        final_snapshot,
    };
    let inspected = inspect(&world);
    world.sim.scheduler.shut_down();
    (outcome, inspected)
}

/// Runs for a minute, then invokes the scheduled functions.
pub(crate) fn run_minute(world: &Arc<World>) {
    world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(MINUTE));
    provider_minute(world);
    lambda::run_schedules(world);
}

/// The next morning, shortly before the daily schedules, faults occur again, and the services do what they do
/// when all orders have settled.
fn next_morning(world: &Arc<World>) {
    let running =
        world.wiring.schedules.iter().filter(|schedule| world.running(&schedule.function).is_some());
    let now = world.sim.now();
    if let Some(daily) = running.filter_map(|schedule| schedule.times.next_daily(now)).min() {
        let wait =
            Duration::try_from(daily.duration_since(now)).unwrap_or_default().saturating_sub(2 * MINUTE);
        world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(wait));
    }
    world.sim.resume_faults();
    for service in &world.services {
        service.finish(world);
    }
    for _ in 0..MORNING_MINUTES {
        run_minute(world);
    }
    world.sim.stop_faults();
}

/// Runs the scheduled functions again whose runs have failed, as operators do whom an alarm tells. Returns
/// whether there were any.
fn run_failed_jobs(world: &Arc<World>) -> bool {
    let failed = std::mem::take(&mut *lock(&world.failed_jobs));
    for function in failed.iter().filter_map(|name| services::function(name)) {
        lambda::run_job(world, function, serde_json::Value::Null, 0);
    }
    !failed.is_empty()
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
    check_services(world, "");
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
    // The health check places several orders as one customer.
    let customers: Vec<_> = settled.orders.values().map(|order| order.details.customer.id.as_str()).collect();
    let customers: Vec<_> = customers.into_iter().filter(|id| *id != SYNTHETIC_CUSTOMER_ID).collect();
    if customers.iter().collect::<std::collections::BTreeSet<_>>().len() < customers.len() {
        world.report_violation("one idempotency key created two orders".to_owned());
    }
}

/// Checks the invariants of the services besides the order process.
fn check_services(world: &World, when: &str) {
    for service in &world.services {
        for violation in service.check(world) {
            world.report_violation(format!("{when}{violation}"));
        }
    }
}

/// Sends every message again, once after the provider has forgotten its idempotency keys, and once after the
/// idempotency records of emails have expired too. Nothing may change: an email that late goes to the
/// dead-letter queue.
fn replay(world: &Arc<World>, settled: &Snapshot) {
    let states = |world: &World| -> Vec<String> {
        world.services.iter().map(|service| service.final_state(world)).collect()
    };
    let before = states(world);
    for (later, what) in REPLAYS {
        world.sim.log(|| format!("{what}: every message is sent again"));
        world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(later));
        world.provider.forget_keys();
        world.claims.remove_expired(world.sim.now());
        world.services.iter().for_each(|service| service.expire_rows(world));
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
        check_services(world, &format!("{what}, after every message was sent again: "));
        let changed = world.services.iter().zip(states(world)).zip(&before);
        let changed =
            changed.filter(|((_, now), before)| now != *before).map(|((service, _), _)| service.name());
        let changed: Vec<_> = changed.collect();
        if *settled != after || !changed.is_empty() {
            let parts: Vec<_> = difference(settled, &after).into_iter().chain(changed).collect();
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
