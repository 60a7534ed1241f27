//! The audit: reads everything that a deployed stack knows of its orders, and checks what must hold.
//!
//! It only reads. A running system is no snapshot: its tables are read one after the other. So what looks wrong is
//! read again, and counts only if it is wrong each time; and the stock is judged only of products whose counters
//! were the same before and after the reservations were read.

mod provider;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::OrderId;
use invariants::{Rule, Snapshot, Violation, When, check};
use jiff::{SignedDuration, Timestamp};

use crate::stack::Stack;
use crate::ui::{self, DIM, GREEN, RED};
use crate::{commands, signals};

/// How often what looks wrong is read again before it counts.
const LOOKS: u32 = 4;
/// How long it is left alone in between: longer than a message usually takes through all functions.
const PAUSE: Duration = Duration::from_secs(3);
/// How many orders' stories a report tells.
const MOST_STORIES: usize = 10;

/// All rules, and what they say.
const RULES: [(Rule, &str); 8] = [
    (Rule::OneCapture, "no order is charged twice, or another amount than it costs"),
    (Rule::CapturedIsCommitted, "what was charged is sold, or given back"),
    (Rule::StockIsConserved, "stock is never negative: available + held + sold is what was put in"),
    (Rule::StockIsReserved, "what is held and sold is what the reservations say"),
    (Rule::MailTellsTheTruth, "mails say what is so"),
    (Rule::RecordsAgree, "orders, inventory, payments and the provider agree"),
    (Rule::FinalStays, "what is final stays (between two looks at it)"),
    (Rule::NothingHangs, "nothing hangs"),
];

/// What is demanded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Demand {
    /// An order may be open for so long.
    Running(SignedDuration),
    /// Everything is at rest.
    Settled,
}

/// What an audit found.
#[derive(Debug)]
pub(crate) struct Report {
    /// How much was read: what, and how many.
    pub(crate) counts: Vec<(&'static str, usize)>,
    /// What does not hold.
    pub(crate) violations: Vec<Violation>,
    /// What could not be judged, and why.
    pub(crate) unclear: Vec<String>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Reads and judges a stack.
pub(crate) fn run(stack: &Stack, demand: Demand) -> anyhow::Result<Report> {
    let started = Instant::now();
    let source = tables::Source::of(stack)?;
    let mut look = source.read(stack)?;
    let mut suspects = judge(&look.snapshot, demand);
    let mut gone = Vec::new();
    for _ in 1..LOOKS {
        if suspects.is_empty() && look.moving.is_empty() {
            break;
        }
        signals::sleep(PAUSE)?;
        let again = source.read(stack)?;
        gone.extend(invariants::check_step(&look.snapshot, &again.snapshot));
        look = again;
        let still = judge(&look.snapshot, demand);
        let keys: BTreeSet<_> = still.iter().map(key).collect();
        // What is new this time had its first look: it is not known yet whether it stays.
        suspects.retain(|suspect| keys.contains(&key(suspect)));
        let known: BTreeSet<_> = suspects.iter().map(key).collect();
        suspects = still.into_iter().filter(|violation| known.contains(&key(violation))).collect();
    }
    let unclear = look
        .moving
        .iter()
        .map(|sku| {
            format!("the stock of {sku} changed while it was read, each time: audit again when it is quieter")
        })
        .collect();
    suspects.extend(gone);
    suspects.retain(|violation| {
        !look.moving.iter().any(|sku| is_stock(violation) && violation.detail.starts_with(sku.as_str()))
    });
    Ok(Report { counts: look.counts, violations: suspects, unclear, took: started.elapsed() })
}

fn judge(snapshot: &Snapshot, demand: Demand) -> Vec<Violation> {
    check(
        snapshot,
        match demand {
            Demand::Running(patience) => When::Running { now: now(), patience },
            Demand::Settled => When::Settled,
        },
    )
}

#[expect(clippy::disallowed_methods, reason = "a tool for a person goes by the clock on the wall")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn is_stock(violation: &Violation) -> bool {
    matches!(violation.rule, Rule::StockIsConserved | Rule::StockIsReserved)
}

/// What makes two looks find the same thing. Figures change while things move on.
fn key(violation: &Violation) -> (Rule, Option<OrderId>, String) {
    let subject = violation.detail.split([':', ' ']).next().unwrap_or_default();
    (
        violation.rule,
        violation.order_id,
        if violation.order_id.is_some() { String::new() } else { subject.to_owned() },
    )
}

impl Report {
    /// Whether everything holds.
    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Prints what was read and how each rule came out.
    pub(crate) fn print(&self) {
        ui::heading("Read");
        for (what, count) in &self.counts {
            anstream::println!("  {count:>8}  {what}");
        }
        ui::heading("Rules");
        for (rule, says) in RULES {
            let count = self.violations.iter().filter(|violation| violation.rule == rule).count();
            if count == 0 {
                anstream::println!("  {GREEN}✓{GREEN:#} {says}");
            } else {
                anstream::println!("  {RED}✗ {says}: {count} violations{RED:#}");
            }
        }
        for unclear in &self.unclear {
            ui::note(unclear);
        }
        anstream::println!("  {DIM}in {}{DIM:#}", ui::seconds(self.took));
    }

    /// Prints each violation, order by order, with the story of the order.
    pub(crate) fn print_violations(&self, stack: &Stack) {
        let mut by_order: BTreeMap<Option<OrderId>, Vec<&Violation>> = BTreeMap::new();
        for violation in &self.violations {
            by_order.entry(violation.order_id).or_default().push(violation);
        }
        for (number, (order, violations)) in by_order.iter().enumerate() {
            ui::heading(
                &order.map_or_else(|| "The stack as a whole".to_owned(), |order| format!("Order {order}")),
            );
            for violation in violations {
                anstream::println!("  {RED}✗ {:?}{RED:#}: {}", violation.rule, violation.detail);
            }
            let Some(order) = order else { continue };
            if number >= MOST_STORIES {
                anstream::println!("  {DIM}its story: cargo xtask timeline {order}{DIM:#}");
            } else if let Err(error) = commands::timeline::show(stack, &order.to_string(), false) {
                ui::note(&format!("its story cannot be told: {error:#}"));
            }
        }
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "read": self.counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect::<BTreeMap<_, _>>(),
            "violations": self.violations.iter().map(|violation| serde_json::json!({
                "rule": format!("{:?}", violation.rule),
                "order_id": violation.order_id,
                "detail": violation.detail,
            })).collect::<Vec<_>>(),
            "unclear": self.unclear,
        })
    }
}
