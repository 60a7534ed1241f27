//! Orders through the front door of a stack of its own while everything around them fails; then a judgement.

mod clients;
mod door;
mod faults;
mod plan;
mod plant;
mod proxy;
mod recorder;
mod report;
mod settle;
mod shake;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use clients::{Experience, Shopfront};
use door::{Door, Seen};
use plan::{PRICE_CENTS, Plan};
pub(crate) use plant::Plant;
use proxy::Proxy;
use recorder::Recorder;
use report::Findings;
use settle::Queues;
use shake::Shaker;

use crate::api::Shop;
use crate::audit::{self, Promises};
use crate::commands::{down, up};
use crate::instance::{Instance, shown};
use crate::logs::Reader;
use crate::stack::Stack;
use crate::tools::Tools;
use crate::{signals, ui};

/// What a person asks for.
pub(crate) struct Wishes {
    pub(crate) orders: usize,
    pub(crate) seed: u64,
    /// Multiplies how many faults there are.
    pub(crate) fault_rate: f64,
    /// What is broken on purpose before the judgement.
    pub(crate) plant: Option<Plant>,
    /// The same as a person types it.
    pub(crate) command: String,
}

/// What came of it.
pub(crate) struct Outcome {
    /// The report, as Markdown.
    pub(crate) report: String,
    /// What does not hold.
    pub(crate) violations: Vec<String>,
}

/// Starts a fresh stack, shakes it, lets it settle and judges it; stops it again whatever happens.
///
/// # Errors
/// When the stack cannot be started, does not answer, or does not come to rest.
pub(crate) fn run(wishes: &Wishes) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let plan = Plan::make(wishes.seed, wishes.orders, wishes.fault_rate);
    ui::success(&format!(
        "plan {}: {} orders, {} faults",
        plan.hash()?,
        plan.orders.len(),
        plan.faults.len()
    ));
    let instance = Instance::chaos();
    // What an interrupted run left, which could not clean up any more.
    stop(&instance)?;
    up::forget(&instance)?;
    let running = Running(instance);
    let instance = &running.0;
    instance.make_dirs()?;
    let proxy = Proxy::of(instance)?;
    proxy.start(&Tools::ensure()?)?;
    up::start(instance, up::OrdersRun::OnLambda, up::Profile::Dev)?;

    let stack = Stack::local(instance.clone())?;
    let shop = stack.shop()?;
    let queues = Queues::of(&stack)?;
    queues.quicken(&stack)?;
    put_in(&plan, &shop)?;
    let mut shaker = Shaker::new(instance, &stack, &proxy, Recorder::start(&stack)?);
    let front = Shopfront {
        plan: &plan,
        shop: shop.clone(),
        expire_url: expire_url(&stack, instance)?,
        started: Instant::now(),
    };
    let told = shake(&front, &shop, &mut shaker)?;

    let door = Door::of(&front);
    let calm = |label| {
        let settled = settle::settle(&stack, &queues, &door, &shaker.provider, &front.expire_url, label);
        settled.or_else(|hangs| {
            if signals::check().is_err() {
                return Err(hangs);
            }
            let file = evidence(&stack, instance, &door.look()?, &[format!("{hangs:#}")])?;
            Err(hangs.context(format!("what happened to the orders is in {}", shown(&file))))
        })
    };
    let (settled, before) = calm("settling")?;
    shaker.provider.forget_keys()?;
    shaker.recorder.catch_up(&stack)?;
    let repeated = shaker.recorder.redeliver_all(&stack, plan.seed)?;
    let label = format!("settling after all {repeated} messages were delivered once more");
    let (settled_again, seen) = calm(&label)?;

    if let Some(plant) = wishes.plant {
        plant.put_in(&stack, instance, &plan, &seen)?;
        ui::note(&format!("broken on purpose: {}", plant.what()));
    }
    let mut violations = door.check(&told, &seen);
    violations.extend(door::changes(&before, &seen));
    violations.extend(door.check_books(&shop, &shaker.provider, &seen)?);
    let audit = audit::run(&stack, Promises::Settled)?;
    violations.extend(audit.violations.iter().map(ToString::to_string));
    let report = Findings {
        plan: &plan,
        command: wishes.command.clone(),
        faults: shaker.counts(),
        calls: proxy.calls()?,
        told: &told,
        seen: &seen,
        handled: &Reader::open(&stack)?.all()?,
        settled: &settled,
        repeated: (repeated, &settled_again),
        took: began.elapsed(),
        audit: &audit,
        violations: &violations,
    }
    .markdown()?;
    if !violations.is_empty() {
        let file = evidence(&stack, instance, &seen, &violations)?;
        ui::note(&format!("what happened to these orders is in {}", shown(&file)));
    }
    Ok(Outcome { report, violations })
}

/// Writes down what the functions did for each order that a violation names, while the stack can still tell.
fn evidence(
    stack: &Stack,
    instance: &Instance,
    seen: &[Seen],
    violations: &[String],
) -> anyhow::Result<PathBuf> {
    let logs = Reader::open(stack)?;
    let mut text = format!("{}\n", violations.join("\n"));
    for order in seen.iter().filter(|order| violations.iter().any(|wrong| wrong.contains(&order.id))) {
        writeln!(text, "\n{}", order.shown())?;
        for handled in logs.about(&order.id, None)? {
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
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", shown(&file)))?;
    Ok(file)
}

/// Adds the products of the plan with their opening stock.
fn put_in(plan: &Plan, shop: &Shop) -> anyhow::Result<()> {
    for product in &plan.products {
        shop.put_product(&product.sku, &product.sku, PRICE_CENTS)?;
        shop.deliver(&product.sku, "opening-stock", product.stock)?;
    }
    Ok(())
}

/// Lets customers, deliveries and faults happen at once, each at its time.
fn shake(front: &Shopfront<'_>, shop: &Shop, shaker: &mut Shaker<'_>) -> anyhow::Result<Vec<Experience>> {
    let told: Mutex<Vec<Experience>> = Mutex::default();
    let failed: Mutex<Option<anyhow::Error>> = Mutex::default();
    let fail = |error| {
        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
    };
    let answered = || told.lock().map_or(0, |told| told.len());
    let progress = ui::Progress::start("shaking the stack");
    let shaken = std::thread::scope(|scope| {
        for order in &front.plan.orders {
            scope.spawn(|| match front.live(order) {
                Ok(seen) => told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(seen),
                Err(error) => fail(error),
            });
        }
        scope.spawn(|| deliver(front, shop).unwrap_or_else(&fail));
        let done = || format!("{} of {} customers are done", answered(), front.plan.orders.len());
        let shaken = shaker.shake(front.plan, front.started, &progress, done);
        shaken.and(shaker.stop())
    });
    shaken?;
    if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let mut told = told.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    told.sort_by_key(|told| told.number);
    progress.done(&format!("{} orders placed, {} faults", told.len(), shaker.counts().values().sum::<u64>()));
    Ok(told)
}

/// Puts the later deliveries of the plan in, each twice.
fn deliver(front: &Shopfront<'_>, shop: &Shop) -> anyhow::Result<()> {
    let mut due: Vec<(u64, &str, u32)> = Vec::new();
    for product in &front.plan.products {
        due.extend(
            product.deliveries.iter().map(|(at_ms, quantity)| (*at_ms, product.sku.as_str(), *quantity)),
        );
    }
    due.sort_unstable();
    for (at_ms, sku, quantity) in due {
        signals::sleep(Duration::from_millis(at_ms).saturating_sub(front.started.elapsed()))?;
        for _ in 0..2 {
            let deadline = Instant::now() + Duration::from_secs(180);
            while let Err(error) = shop.deliver(sku, &format!("at-{at_ms}"), quantity) {
                if Instant::now() > deadline {
                    bail!(error.context("a delivery is not taken"));
                }
                signals::sleep(Duration::from_millis(500))?;
            }
        }
    }
    Ok(())
}

/// Where `expire-orders` can be invoked.
fn expire_url(stack: &Stack, instance: &Instance) -> anyhow::Result<String> {
    let function = stack.resources()?.into_iter().find(|resource| resource.logical_id == "ExpireOrders");
    let function = function.context("the stack has no function ExpireOrders")?.physical_id;
    Ok(format!("{}/2015-03-31/functions/{function}/invocations", instance.endpoint()))
}

fn stop(instance: &Instance) -> anyhow::Result<()> {
    let stopped = down::stop(instance);
    Proxy::of(instance)?.stop()?;
    stopped.map(drop)
}

/// A stack that is stopped when this goes out of scope: also after an error, an interruption or a panic.
struct Running(Instance);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = stop(&self.0) {
            ui::failure(&format!("{error:#}"));
        }
    }
}
