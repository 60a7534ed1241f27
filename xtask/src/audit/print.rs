//! How a report is shown: for a person at three in the morning, and for a machine.

use std::collections::{BTreeMap, BTreeSet};

use domain::OrderId;
use invariants::{Rule, Violation};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json as value};

use super::Report;
use crate::logs;
use crate::stack::Stack;
use crate::timeline;
use crate::ui::{self, BOLD, CYAN, DIM, GREEN, RED};

/// Of how many orders the timeline is told, and how many violations are listed per rule.
const MOST_TIMELINES: usize = 10;
const MOST_LISTED: usize = 50;
/// The rules that one look at a stack can judge. That final states stay needs two: the simulation judges it.
const JUDGED: [(Rule, &str); 7] = [
    (Rule::OneCapture, "nobody is charged twice, or another amount"),
    (Rule::CapturedIsCommitted, "what was charged is sold, or given back"),
    (Rule::StockIsConserved, "no stock is negative, made or lost"),
    (Rule::StockIsReserved, "held and sold is what the reservations say"),
    (Rule::MailTellsTheTruth, "the mails tell the truth"),
    (Rule::RecordsAgree, "the services and the provider agree"),
    (Rule::NothingHangs, "nothing hangs"),
];

/// Prints a report: what was read, each rule, the violations, and the timelines of their orders.
pub(crate) fn print(stack: &Stack, report: &Report) -> anyhow::Result<()> {
    ui::heading(&format!("Audit of {} · {}", report.stack, report.promises));
    for (what, count) in &report.counts {
        anstream::println!("  {CYAN}{what:32}{CYAN:#}{count:>9}");
    }
    let mut by_rule: BTreeMap<Rule, Vec<&Violation>> = BTreeMap::new();
    for violation in &report.violations {
        by_rule.entry(violation.rule).or_default().push(violation);
    }
    anstream::println!();
    for (rule, promise) in JUDGED {
        match by_rule.get(&rule).map_or(0, Vec::len) {
            0 => anstream::println!("  {GREEN}✓{GREEN:#} {promise}"),
            count => anstream::println!("  {RED}✗ {promise}: {count}{RED:#}"),
        }
    }
    for (rule, violations) in &by_rule {
        ui::heading(&format!("{rule:?}"));
        for violation in violations.iter().take(MOST_LISTED) {
            if let Some(order) = violation.order_id {
                anstream::println!("  {BOLD}{order}{BOLD:#}");
            }
            anstream::println!("    {RED}{}{RED:#}", violation.detail);
        }
        if violations.len() > MOST_LISTED {
            anstream::println!("  {DIM}and {} more: see --json{DIM:#}", violations.len() - MOST_LISTED);
        }
    }
    print_timelines(stack, report);
    anstream::println!();
    report.notes.iter().for_each(|note| ui::note(note));
    if report.holds() {
        ui::success("everything that was checked holds");
    }
    Ok(())
}

/// The stories of the orders that something is wrong with. The logs may be gone: then there is none.
fn print_timelines(stack: &Stack, report: &Report) {
    let orders: BTreeSet<OrderId> =
        report.violations.iter().filter_map(|violation| violation.order_id).collect();
    if orders.is_empty() {
        return;
    }
    let reader = match logs::Reader::open(stack) {
        Ok(reader) => reader,
        Err(error) => return ui::note(&format!("there are no timelines: {error:#}")),
    };
    for order in orders.iter().take(MOST_TIMELINES) {
        ui::heading(&format!("What happened to {order}"));
        let since = placed_at(*order).and_then(|at| at.checked_sub(SignedDuration::from_secs(60)).ok());
        let handled = match reader.about(&order.to_string(), since) {
            Ok(handled) => handled,
            Err(error) => {
                ui::note(&format!("{error:#}"));
                continue;
            }
        };
        let Some(start) = handled.first().map(|first| first.at) else {
            ui::note("the functions' logs say nothing about it (any more)");
            continue;
        };
        timeline::print_head();
        for handled in handled.iter().filter(|handled| !handled.trigger.starts_with("GET ")) {
            timeline::print_handled(handled, start);
        }
    }
    let left = orders.len().saturating_sub(MOST_TIMELINES);
    if left > 0 {
        ui::note(&format!("{left} more orders: cargo xtask timeline <order>"));
    }
}

/// The time in an order's id, where it is a UUID of version 7.
fn placed_at(order: OrderId) -> Option<Timestamp> {
    let id: uuid::Uuid = order.to_string().parse().ok()?;
    let (seconds, nanoseconds) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

/// The report for a machine.
pub(crate) fn json(report: &Report) -> Value {
    let violations = report.violations.iter().map(|violation| {
        value!({
            "rule": format!("{:?}", violation.rule),
            "order_id": violation.order_id.map(|order| order.to_string()),
            "detail": violation.detail,
        })
    });
    let counts: serde_json::Map<String, Value> =
        report.counts.iter().map(|(what, count)| (what.trim().to_owned(), (*count).into())).collect();
    value!({
        "stack": report.stack,
        "at": report.at.to_string(),
        "promises": report.promises,
        "holds": report.holds(),
        "counts": counts,
        "violations": violations.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}
