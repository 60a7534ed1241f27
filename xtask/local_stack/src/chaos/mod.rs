//! Chaos tests: places orders through the API of a dedicated local stack while faults are injected, then
//! checks the result.

mod api_checker;
mod clients;
mod fault_injector;
mod faults;
mod history;
mod injected_violation;
mod plan;
mod proxy;
mod recorder;
mod report;
mod settle;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use shopctl::Stack;
use shopctl::api::Shop;
use shopctl::audit::{self, AuditMode};
use shopctl::logs::Reader;
use terminal::{signals, ui};
use xtask::functions::Selection;
use xtask::paths::display_path;
use xtask::tools::Tools;

use api_checker::{ApiChecker, CustomerOrder};
use clients::{ClientLog, RunContext};
use fault_injector::FaultInjector;
use history::HistoryLog;
use plan::{PRICE_CENTS, Plan};
use proxy::Proxy;
use recorder::Recorder;
use report::Findings;
use settle::Queues;

use crate::commands::{down, up};
use crate::instance::Instance;

pub(crate) use injected_violation::InjectedViolation;

/// The options of a run.
pub(crate) struct ChaosConfig {
    pub(crate) orders: usize,
    pub(crate) seed: u64,
    /// Multiplies the number of faults.
    pub(crate) fault_rate: f64,
    /// A violation to inject before the checks, which must find it.
    pub(crate) inject: Option<InjectedViolation>,
    /// The command line that repeats the run.
    pub(crate) command: String,
}

/// The result of a run.
pub(crate) struct Outcome {
    /// The report, as Markdown.
    pub(crate) report: String,
    /// The violations found.
    pub(crate) violations: Vec<String>,
}

/// Injects faults into a fresh stack, waits until it has settled, and checks the result. Always stops the
/// stack.
///
/// # Errors
/// When the stack cannot be started, does not respond, or does not settle.
pub(crate) fn run(config: &ChaosConfig) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let plan = Plan::generate(config.seed, config.orders, config.fault_rate);
    ui::success(&format!(
        "plan {}: {} orders, {} faults",
        plan.hash()?,
        plan.orders.len(),
        plan.faults.len()
    ));
    let instance = Instance::chaos();
    // An interrupted run may have left a stack behind.
    stop(&instance)?;
    up::delete_state(&instance)?;
    let running = Running(instance);
    let instance = &running.0;
    instance.create_dirs()?;
    let proxy = Proxy::new(instance)?;
    proxy.start(&Tools::ensure()?)?;
    up::start(instance, up::OrdersHost::Lambda, up::Profile::Dev, Selection::All)?;

    let stack = instance.open()?;
    let shop = stack.shop()?;
    let queues = Queues::new(&stack)?;
    queues.shorten_visibility_timeouts(&stack)?;
    add_products(&plan, &shop)?;
    let mut injector = FaultInjector::new(instance, &stack, &proxy, Recorder::start(&stack)?);
    let started = Instant::now();
    let context = RunContext {
        plan: &plan,
        shop: shop.clone(),
        expire_url: expire_url(&stack, instance)?,
        started,
        history: HistoryLog::new(started),
    };
    let logs = run_with_faults(&context, &shop, &mut injector)?;

    let checker = ApiChecker::new(&context);
    let settle = |label| {
        let settled =
            settle::settle(&stack, &queues, &checker, &injector.provider, &context.expire_url, label);
        settled.or_else(|error| {
            if signals::check().is_err() {
                return Err(error);
            }
            let file = write_histories(&stack, instance, &checker.read_orders()?, &[format!("{error:#}")])?;
            Err(error.context(format!("the history of the orders is in {}", display_path(&file))))
        })
    };
    let (settled, before) = settle("settling")?;
    injector.provider.forget_keys()?;
    injector.recorder.catch_up(&stack)?;
    let redelivered = injector.recorder.redeliver_all(&stack, plan.seed)?;
    let label = format!("settling after the redelivery of all {redelivered} messages");
    let (settled_again, orders) = settle(&label)?;

    context.read_settled()?;

    if let Some(violation) = config.inject {
        violation.inject(&stack, instance, &plan, &orders)?;
        ui::note(&format!("injected violation: {}", violation.description()));
    }
    let mut violations = checker.check_orders(&logs, &orders);
    violations.extend(api_checker::changed_orders(&before, &orders));
    violations.extend(checker.check_charges_and_stock(&shop, &injector.provider, &orders)?);
    violations.extend(context.history.violations());
    let audit = audit::run(&stack, AuditMode::Settled)?;
    violations.extend(audit.violations.iter().map(ToString::to_string));
    let report = Findings {
        plan: &plan,
        command: config.command.clone(),
        faults: injector.counts(),
        calls: proxy.call_count()?,
        logs: &logs,
        history: context.history.counts(),
        orders: &orders,
        handled: &Reader::open(&stack)?.all()?,
        settled: &settled,
        redelivered: (redelivered, &settled_again),
        duration: began.elapsed(),
        audit: &audit,
        violations: &violations,
    }
    .markdown()?;
    if !violations.is_empty() {
        let file = write_histories(&stack, instance, &orders, &violations)?;
        ui::note(&format!("the history of these orders is in {}", display_path(&file)));
    }
    Ok(Outcome { report, violations })
}

/// Writes what the functions logged about each order that a violation names, while the logs still exist.
fn write_histories(
    stack: &Stack,
    instance: &Instance,
    orders: &[CustomerOrder],
    violations: &[String],
) -> anyhow::Result<PathBuf> {
    let logs = Reader::open(stack)?;
    let mut text = format!("{}\n", violations.join("\n"));
    for order in orders.iter().filter(|order| violations.iter().any(|text| text.contains(&order.id))) {
        writeln!(text, "\n{}", order.describe())?;
        for handled in logs.for_order(&order.id, None)? {
            writeln!(
                text,
                "  {} {:18} {:32} attempt {} {} {}",
                handled.at,
                handled.function,
                handled.trigger,
                handled.attempt,
                handled.outcome,
                handled.reason.unwrap_or_default()
            )?;
        }
    }
    let file = instance.log("violations");
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", display_path(&file)))?;
    Ok(file)
}

/// Creates the products of the plan with their opening stock.
fn add_products(plan: &Plan, shop: &Shop) -> anyhow::Result<()> {
    for product in &plan.products {
        shop.put_product(&product.sku, &product.sku, PRICE_CENTS)?;
        shop.record_delivery(&product.sku, "opening-stock", product.stock)?;
    }
    Ok(())
}

/// Runs clients, deliveries and faults concurrently, each at its planned time.
fn run_with_faults(
    context: &RunContext<'_>,
    shop: &Shop,
    injector: &mut FaultInjector<'_>,
) -> anyhow::Result<Vec<ClientLog>> {
    let logs: Mutex<Vec<ClientLog>> = Mutex::default();
    let failed: Mutex<Option<anyhow::Error>> = Mutex::default();
    let fail = |error| {
        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
    };
    let finished = || logs.lock().map_or(0, |logs| logs.len());
    let is_over =
        || finished() >= context.plan.orders.len() || failed.lock().is_ok_and(|failed| failed.is_some());
    let progress = ui::Progress::start("placing orders and injecting faults");
    let injected = std::thread::scope(|scope| {
        for order in &context.plan.orders {
            scope.spawn(|| match context.run_client(order) {
                Ok(log) => logs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(log),
                Err(error) => fail(error),
            });
        }
        scope.spawn(|| record_deliveries(context, shop).unwrap_or_else(&fail));
        for reader in 0..history::READERS {
            let (is_over, fail) = (&is_over, &fail);
            scope.spawn(move || context.read_at_random(reader, is_over).unwrap_or_else(fail));
        }
        let status = || format!("{} of {} clients finished", finished(), context.plan.orders.len());
        let injected = injector.run(context.plan, context.started, &progress, status);
        injected.and(injector.stop())
    });
    injected?;
    if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let mut logs = logs.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    logs.sort_by_key(|log| log.number);
    progress.done(&format!(
        "{} orders placed, {} faults injected",
        logs.len(),
        injector.counts().values().sum::<u64>()
    ));
    Ok(logs)
}

/// Records the later deliveries of the plan, each of them twice.
fn record_deliveries(context: &RunContext<'_>, shop: &Shop) -> anyhow::Result<()> {
    let mut due: Vec<(u64, &str, u32)> = Vec::new();
    for product in &context.plan.products {
        due.extend(
            product.deliveries.iter().map(|(at_ms, quantity)| (*at_ms, product.sku.as_str(), *quantity)),
        );
    }
    due.sort_unstable();
    for (at_ms, sku, quantity) in due {
        signals::sleep(Duration::from_millis(at_ms).saturating_sub(context.started.elapsed()))?;
        for _ in 0..2 {
            let deadline = Instant::now() + Duration::from_secs(180);
            while let Err(error) = shop.record_delivery(sku, &format!("at-{at_ms}"), quantity) {
                if Instant::now() > deadline {
                    bail!(error.context("a delivery could not be recorded within 180 s"));
                }
                signals::sleep(Duration::from_millis(500))?;
            }
        }
    }
    Ok(())
}

/// The invocation URL of `expire-orders`.
fn expire_url(stack: &Stack, instance: &Instance) -> anyhow::Result<String> {
    let function = stack.resources()?.into_iter().find(|resource| resource.logical_id == "ExpireOrders");
    let function = function.context("the stack has no function ExpireOrders")?.physical_id;
    Ok(format!("{}/2015-03-31/functions/{function}/invocations", instance.endpoint()))
}

fn stop(instance: &Instance) -> anyhow::Result<()> {
    let stopped = down::stop(instance);
    Proxy::new(instance)?.stop()?;
    stopped.map(drop)
}

/// A stack that is stopped when dropped: also after an error, an interruption or a panic.
struct Running(Instance);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = stop(&self.0) {
            ui::failure(&format!("{error:#}"));
        }
    }
}
