//! One run from its beginning to its end: customers order while things fail, faults stop, all settles, and long
//! after that everything is sent once more.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::order::OrderStatus;
use invariants::{Snapshot, When, check, check_transition};
use platform::memory::lock;

use crate::faults::{Plan, Swarm};
use crate::lambda;
use crate::planted::Planted;
use crate::shop::{self, Told, Wish};
use crate::sim::Sim;
use crate::webhooks;
use crate::wiring::Wiring;
use crate::world::World;

/// How often the schedule calls.
const MINUTE: Duration = Duration::from_secs(60);
/// How long it may take until all has settled after the last fault, in minutes: retries wait up to 15 minutes, ten
/// times, and an order that is expired or asked for again waits for hours.
const LONGEST_SETTLING: u32 = 12 * 60;
const DAY: u64 = 24 * 3600;
/// How much later everything is sent once more: longer than Stripe keeps keys, and than a queue keeps messages; and
/// longer than it is remembered that a mail was sent.
const LATER: [(Duration, &str); 2] =
    [(Duration::from_secs(20 * DAY), "20 days later"), (Duration::from_secs(60 * DAY), "80 days later")];

/// What is run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Of all chance.
    pub seed: u64,
    /// What goes wrong.
    pub plan: Plan,
    /// A protection that is switched off.
    pub planted: Option<Planted>,
    /// Pieces of each product.
    pub stock: [u32; 2],
    /// The orders.
    pub wishes: Vec<Wish>,
    /// For how many minutes things go wrong.
    pub minutes: u32,
    /// How much later everything that is delivered is delivered once more, if it is.
    pub double: Option<Duration>,
    /// Whether every message is sent once more in the end.
    pub replay: bool,
    /// Whether all that happens is written down.
    pub trace: bool,
}

impl Setup {
    /// The run that a seed stands for.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let swarm = Swarm::draw(&mut rng);
        Self {
            seed,
            plan: Plan::Random(swarm),
            planted: None,
            stock: [rng.u32(0..=8), rng.u32(0..=4)],
            wishes: (0..rng.usize(1..=4)).map(|_| Wish::draw(&mut rng)).collect(),
            minutes: rng.u32(2..=90),
            double: None,
            replay: true,
            trace: false,
        }
    }

    /// The run of these orders, in which nothing goes wrong.
    pub fn calm(stock: [u32; 2], wishes: Vec<Wish>) -> Self {
        Self {
            seed: 0,
            plan: Plan::Calm,
            planted: None,
            stock,
            wishes,
            minutes: 5,
            double: None,
            replay: false,
            trace: false,
        }
    }
}

/// How a run went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What must not be, and was.
    pub violations: Vec<String>,
    /// All that happened, where that was asked for.
    pub trace: Vec<String>,
    /// How many calls the functions made.
    pub calls: u64,
    /// How the orders ended.
    pub ended: BTreeMap<OrderStatus, u32>,
    /// The system at the end.
    pub last: Snapshot,
}

/// Runs it.
pub fn run(setup: &Setup, wiring: &Arc<Wiring>) -> Outcome {
    let sim = Sim::new(setup.seed, setup.plan, setup.trace);
    let world = World::new(sim, Arc::clone(wiring), setup.planted, setup.double);
    shop::stock_up(&world, setup.stock);
    let told = Arc::new(Mutex::new(Told::default()));
    for (number, wish) in setup.wishes.iter().enumerate() {
        shop::send(&world, number, wish.clone(), &told);
    }
    for _ in 0..setup.minutes {
        minute(&world);
        if world.sim.chance(|rng| rng.u8(0..50)) == 0 {
            lambda::redrive(&world);
        }
    }
    world.sim.calm_down();
    settle(&world, &told);
    let settled = world.snapshot();
    judge(&world, &told, &settled);
    if setup.replay {
        replay(&world, &settled);
    }
    let last = world.snapshot();
    let mut ended = BTreeMap::new();
    for order in last.orders.values() {
        *ended.entry(order.status()).or_default() += 1;
    }
    Outcome {
        violations: world.violations(),
        trace: world.sim.trace(),
        calls: world.sim.calls(),
        ended,
        last,
    }
}

/// Lets a minute pass; then the schedule calls.
fn minute(world: &Arc<World>) {
    world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(MINUTE));
    world.provider.process();
    webhooks::tell(world);
    // Where nothing is open and nothing waits, the schedule's function would look and find nothing.
    if world.has_open_orders() || !world.orders.waiting().is_empty() {
        lambda::run_schedule(world);
    }
}

/// Lets time pass without faults until nothing is on its way any more; what was given up is sent back.
fn settle(world: &Arc<World>, told: &Arc<Mutex<Told>>) {
    for _ in 0..LONGEST_SETTLING {
        minute(world);
        // The schedule's own call, too.
        world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(Duration::from_secs(1)));
        if !world.is_quiet() || lock(told).busy > 0 {
            continue;
        }
        if lambda::redrive(world) == 0 && !world.has_open_orders() {
            return;
        }
    }
    world.violated("NothingHangs: something still moves, or waits, long after the last fault".to_owned());
}

fn judge(world: &World, told: &Mutex<Told>, settled: &Snapshot) {
    for violation in check(settled, When::Settled) {
        world.violated(violation.to_string());
    }
    let told = lock(told);
    for (number, order) in &told.orders {
        if !settled.orders.contains_key(order) {
            world.violated(format!("client {number} was told of order {order}, which is not there"));
        }
    }
    let customers: std::collections::BTreeSet<_> =
        settled.orders.values().map(|order| &order.details.customer.id).collect();
    if customers.len() < settled.orders.len() {
        world.violated("one idempotency key led to two orders".to_owned());
    }
}

/// Much later, when the provider has forgotten its keys, everything that was ever sent is sent once more; and again
/// when also the notes of the mails have expired. Nothing changes: a mail that late is put before a person.
fn replay(world: &Arc<World>, settled: &Snapshot) {
    for (later, what) in LATER {
        world.sim.note(|| format!("{what}: everything is sent once more"));
        world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(later));
        world.provider.forget_keys();
        world.claims.remove_expired(world.sim.now());
        world.too_late_for_mails.store(world.claims.claims().is_empty(), Ordering::Relaxed);
        let histories: Vec<_> =
            lock(&world.queues).iter().map(|queue| queue.first_history()).enumerate().collect();
        for (queue, history) in histories {
            for body in history {
                world.send(queue, body);
            }
        }
        for _ in 0..LONGEST_SETTLING {
            world.sim.scheduler.run_until(world.sim.scheduler.now().saturating_add(MINUTE));
            if world.is_quiet() {
                break;
            }
        }
        let after = world.snapshot();
        for violation in check_transition(settled, &after).into_iter().chain(check(&after, When::Settled)) {
            world.violated(format!("{what}, after everything was sent once more: {violation}"));
        }
        if *settled != after {
            let parts = difference(settled, &after);
            world.violated(format!("FinalStays: {what}, what was sent once more changed {parts:?}"));
        }
    }
}

/// The parts that differ.
fn difference(before: &Snapshot, after: &Snapshot) -> Vec<&'static str> {
    [
        ("orders", before.orders != after.orders),
        ("reservations", before.reservations != after.reservations),
        ("payments", before.payments != after.payments),
        ("the provider", before.intents != after.intents),
        ("stock", before.stock != after.stock),
        ("mails", before.mails != after.mails),
        ("outbox", before.outbox != after.outbox),
        ("queues", before.queued != after.queued),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
