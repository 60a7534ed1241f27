//! Records the metrics of a run: those that the functions log, and those that AWS has of their invocations, queues, streams and
//! requests. `tests/alarms` evaluates the alarms over them.
#![expect(clippy::float_arithmetic, reason = "the values of metrics, and random times")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use heck::ToUpperCamelCase;
use http::StatusCode;
use platform::lock;
use platform::telemetry::metric_lines;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::clients::{self, ClientLog, OrderRequest};
use crate::faults::{Fault, Plan, Window};
use crate::run::run_minute;
use crate::services;
use crate::setup::Setup;
use crate::sim::Sim;
use crate::wiring::Wiring;
use crate::world::World;

/// The name of the stack, which is the namespace of its own metrics and the name of its API.
pub const STACK: &str = "shop";
/// Enough of each product for all orders.
const STOCK: u32 = 1_000_000;
/// How often a message was received from which on SQS no longer counts it as the oldest
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>).
const MAX_COUNTED_RECEIVES: u32 = 3;

/// A value of a metric in a namespace of AWS. Its dimensions name resources by their logical ids.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names of CloudWatch")]
pub struct Point {
    pub namespace: &'static str,
    pub name: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
    /// The time in seconds since 1970.
    pub second: i64,
    pub value: f64,
}

/// The metrics of a run in progress.
#[derive(Default)]
pub struct Recording {
    points: Mutex<Vec<Point>>,
    lines: Lines,
    subscribers: Mutex<BTreeMap<&'static str, Dispatch>>,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl World {
    /// Runs the work of a function, and records the metrics that it logs.
    pub(crate) fn with_log<T: 'static>(
        &self,
        function: &'static str,
        work: BoxFuture<'static, T>,
    ) -> BoxFuture<'static, T> {
        let Some(recording) = &self.recording else { return work };
        let new = || {
            let (lines, clock) = (recording.lines.clone(), self.sim.new_caller(function));
            metric_lines(move || lines.clone(), function, STACK, Arc::new(clock))
        };
        let subscriber = lock(&recording.subscribers).entry(function).or_insert_with(new).clone();
        work.with_subscriber(subscriber).boxed()
    }

    fn record(&self, namespace: &'static str, name: &'static str, by: (&'static str, String), value: f64) {
        if let Some(recording) = &self.recording {
            let second = self.sim.now().as_second();
            let point = Point { namespace, name, dimensions: vec![by], second, value };
            lock(&recording.points).push(point);
        }
    }

    /// Records the end of an invocation.
    pub(crate) fn record_invocation(&self, function: &str, took: Duration, is_error: bool) {
        let by = || ("FunctionName", function.to_upper_camel_case());
        self.record("AWS/Lambda", "Invocations", by(), 1.0);
        self.record("AWS/Lambda", "Duration", by(), took.as_secs_f64() * 1000.0);
        self.record("AWS/Lambda", "Errors", by(), if is_error { 1.0 } else { 0.0 });
    }

    /// Records the age of the last change of a batch.
    pub(crate) fn record_iterator_age(&self, function: &str, age: Duration) {
        let by = ("FunctionName", function.to_upper_camel_case());
        self.record("AWS/Lambda", "IteratorAge", by, age.as_secs_f64() * 1000.0);
    }

    /// Records a request to the API. An invocation that ends without a response is a 502.
    pub(crate) fn record_request(&self, status: Option<StatusCode>, took: Duration) {
        let is_server_error = status.is_none_or(|status| status.is_server_error());
        let is_client_error = status.is_some_and(|status| status.is_client_error());
        let by = || ("ApiName", STACK.to_owned());
        self.record("AWS/ApiGateway", "Count", by(), 1.0);
        self.record("AWS/ApiGateway", "5XXError", by(), f64::from(u8::from(is_server_error)));
        self.record("AWS/ApiGateway", "4XXError", by(), f64::from(u8::from(is_client_error)));
        self.record("AWS/ApiGateway", "Latency", by(), took.as_secs_f64() * 1000.0);
    }

    /// Records that a message was sent to a queue.
    pub(crate) fn record_sent(&self, queue: &str) {
        self.record("AWS/SQS", "NumberOfMessagesSent", ("QueueName", queue.to_owned()), 1.0);
    }

    /// Records the queues, as SQS measures them once a minute, and the dead-letter queues of streams and schedules.
    #[expect(clippy::cast_precision_loss, reason = "few messages")]
    fn record_queues(&self) {
        let now = self.sim.scheduler.now();
        let visible = "ApproximateNumberOfMessagesVisible";
        let dead_letters = |function: &str| ("QueueName", format!("{function}DeadLetters"));
        for queue in &*lock(&self.queues) {
            let counted = queue.messages.values().filter(|it| it.receive_count < MAX_COUNTED_RECEIVES);
            let oldest = counted.map(|message| now.saturating_sub(message.sent_at)).max().unwrap_or_default();
            let by = ("QueueName", queue.subscription.queue.clone());
            self.record("AWS/SQS", "ApproximateAgeOfOldestMessage", by, oldest.as_secs_f64());
            let count = queue.dead_letters.len() as f64;
            self.record("AWS/SQS", visible, dead_letters(&queue.subscription.function), count);
        }
        for (stream, mapping) in lock(&self.streams).iter().zip(&self.wiring.streams) {
            let count = stream.exhausted.len() as f64;
            self.record("AWS/SQS", visible, dead_letters(&mapping.function), count);
        }
        for schedule in &self.wiring.schedules {
            let failed = lock(&self.failed_jobs);
            let count = failed.iter().filter(|name| name.to_upper_camel_case() == schedule.function).count();
            drop(failed);
            self.record("AWS/SQS", visible, dead_letters(&schedule.function), count as f64);
        }
    }
}

/// What goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Planted {
    /// Nothing goes wrong.
    Nothing,
    /// The calls of a function (of any, if it is empty) whose names begin with a prefix have a fault.
    Calls {
        /// The binary name of the function.
        caller: &'static str,
        /// The prefix, such as `provider.`.
        call: &'static str,
        /// The fault of each call.
        fault: Fault,
    },
    /// The same calls take this much longer, both there and back.
    Slow {
        /// The binary name of the function.
        caller: &'static str,
        /// The prefix of the names of the calls.
        call: &'static str,
        /// How much longer each way takes.
        latency: Duration,
    },
    /// The schedule or the event source mapping of a function is disabled.
    Stopped(&'static str),
    /// A function gets this many messages a minute that nobody can parse.
    Poison(&'static str, u32),
    /// No client orders.
    NoOrders,
}

/// The metrics of a run.
#[derive(Debug)]
pub struct Recorded {
    /// The log lines with metrics.
    pub lines: String,
    /// The metrics of AWS.
    pub points: Vec<Point>,
    /// When the run began, in seconds since 1970.
    pub began_at: i64,
}

/// A shop, and for how long it is recorded.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The services besides the order process.
    pub services: Vec<&'static str>,
    /// The mean time between two orders.
    pub order_interval: Duration,
    /// After how many minutes the fault begins. It stays.
    pub from: u32,
    /// The number of minutes.
    pub minutes: u32,
}

/// Records a run of a shop with a fault.
pub fn record(wiring: &Arc<Wiring>, planted: Planted, shop: &Shop) -> Recorded {
    let Shop { from, minutes, .. } = *shop;
    let minute = |count: u32| Duration::from_secs(60).saturating_mul(count);
    let (begin, end) = (minute(from), minute(minutes));
    let window =
        |caller, call, fault, latency| Plan::During(Window { from: begin, caller, call, fault, latency });
    let plan = match planted {
        Planted::Calls { caller, call, fault } => window(caller, call, fault, Duration::ZERO),
        Planted::Slow { caller, call, latency } => window(caller, call, Fault::None, latency),
        Planted::Nothing | Planted::Stopped(_) | Planted::Poison(..) | Planted::NoOrders => Plan::NoFaults,
    };
    let mut requests = orders(end, shop.order_interval);
    if planted == Planted::NoOrders {
        requests.retain(|request| request.at < begin);
    }
    let services = shop.services.clone();
    let setup =
        Setup { plan, services, is_recorded: true, ..Setup::without_faults([STOCK, STOCK], requests) };
    let world = World::new(Sim::new(setup.seed, setup.plan.clone(), false), Arc::clone(wiring), &setup);
    clients::stock_up(&world, setup.stock);
    let client_log = Arc::new(Mutex::new(ClientLog::default()));
    for (number, order_request) in setup.requests.iter().enumerate() {
        clients::start(&world, number, order_request.clone(), &client_log);
    }
    for passed in 0..minutes {
        if passed == from
            && let Planted::Stopped(function) = planted
        {
            lock(&world.stopped).insert(function);
        }
        if passed >= from
            && let Planted::Poison(function, count) = planted
        {
            (0..count).for_each(|_| world.send_to(function, "not an event"));
        }
        run_minute(&world);
        world.record_queues();
    }
    let began_at = world.sim.began_at().as_second();
    let recorded = world.recording.as_ref().map(|recording| Recorded {
        lines: String::from_utf8_lossy(&lock(&recording.lines.0)).into_owned(),
        points: std::mem::take(&mut *lock(&recording.points)),
        began_at,
    });
    world.sim.scheduler.shut_down();
    recorded.unwrap_or(Recorded { lines: String::new(), points: Vec::new(), began_at })
}

/// Orders at random times until `end`, of which a few are declined, rejected or cancelled.
fn orders(end: Duration, interval: Duration) -> Vec<OrderRequest> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut requests = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        // Between no and twice the mean time.
        at = at.saturating_add(interval.mul_f64(2.0 * rng.f64()));
        if at >= end {
            return requests;
        }
        let simple = OrderRequest { at, ..OrderRequest::simple() };
        requests.push(match rng.u8(0..50) {
            0..=2 => OrderRequest { payment_method: "pm_declined", ..simple },
            3 => OrderRequest { unit_price: clients::UNIT_PRICE - 1, ..simple },
            4 => OrderRequest { cancel_after: Some(Duration::from_millis(10)), ..simple },
            _ => simple,
        });
    }
}

/// The functions that run in a recording with these services, by logical id.
pub fn recorded_functions(wiring: &Wiring, services: &[&str]) -> Vec<String> {
    let services: Vec<_> = services.iter().map(|name| services::optional_service(name)).collect();
    let runs = |id: &String| services::running(id, &services).is_some();
    let ids = wiring.functions.keys().map(|name| name.to_upper_camel_case());
    ids.filter(runs).collect()
}
