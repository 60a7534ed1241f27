//! Output of a report: for the terminal, and as JSON.

use std::collections::{BTreeMap, BTreeSet};

use domain::OrderId;
use invariants::{Rule, Violation};
use jiff::SignedDuration;
use serde_json::{Value, json as value};
use terminal::ui::{self, BOLD, CYAN, DIM, GREEN, RED};

use super::Report;
use crate::logs;
use crate::stack::Stack;
use crate::timeline;

/// The maximum number of timelines, and of violations listed per rule.
const MAX_TIMELINES: usize = 10;
const MAX_LISTED: usize = 50;
/// The rules that a single read of a stack can check. Whether final states change takes two; the simulation
/// checks that.
const CHECKED_RULES: [(Rule, &str); 7] = [
    (Rule::OneCapture, "no order is charged twice, or with another amount"),
    (Rule::CapturedIsCommitted, "whatever was charged is committed or refunded"),
    (Rule::StockIsConserved, "no stock is negative, created or lost"),
    (Rule::StockIsReserved, "stock counters match the reservations"),
    (Rule::MailTellsTheTruth, "emails match the outcome of their order"),
    (Rule::RecordsAgree, "the records of the services and the provider agree"),
    (Rule::NothingHangs, "every order makes progress"),
];

/// Prints a report: the counts, each rule, the violations, and the timelines of their orders.
pub fn print(stack: &Stack, report: &Report) {
    ui::heading(&format!("Audit of {} · {}", report.stack, report.mode));
    for (what, count) in &report.counts {
        anstream::println!("  {CYAN}{what:32}{CYAN:#}{count:>9}");
    }
    let mut by_rule: BTreeMap<Rule, Vec<&Violation>> = BTreeMap::new();
    for violation in &report.violations {
        by_rule.entry(violation.rule).or_default().push(violation);
    }
    anstream::println!();
    for (rule, description) in CHECKED_RULES {
        match by_rule.get(&rule).map_or(0, Vec::len) {
            0 => anstream::println!("  {GREEN}✓{GREEN:#} {description}"),
            count => anstream::println!("  {RED}✗ {description}: {count}{RED:#}"),
        }
    }
    for (rule, violations) in &by_rule {
        ui::heading(&format!("{rule:?}"));
        for violation in violations.iter().take(MAX_LISTED) {
            if let Some(order) = violation.order_id {
                anstream::println!("  {BOLD}{order}{BOLD:#}");
            }
            anstream::println!("    {RED}{}{RED:#}", violation.detail);
        }
        if violations.len() > MAX_LISTED {
            anstream::println!("  {DIM}and {} more: see --json{DIM:#}", violations.len() - MAX_LISTED);
        }
    }
    print_timelines(stack, report);
    anstream::println!();
    report.notes.iter().for_each(|note| ui::note(note));
    if report.holds() {
        ui::success("no violations");
    } else {
        ui::note(&format!("the audit found {} violations", report.violations.len()));
    }
}

/// Prints the timelines of the orders with violations, as far as the logs still exist.
fn print_timelines(stack: &Stack, report: &Report) {
    let orders: BTreeSet<OrderId> =
        report.violations.iter().filter_map(|violation| violation.order_id).collect();
    if orders.is_empty() {
        return;
    }
    let reader = match logs::Reader::open(stack) {
        Ok(reader) => reader,
        Err(error) => return ui::note(&format!("timelines are unavailable: {error:#}")),
    };
    for order in orders.iter().take(MAX_TIMELINES) {
        ui::heading(&format!("Timeline of order {order}"));
        let since = timeline::placed_at(&order.to_string())
            .and_then(|at| at.checked_sub(SignedDuration::from_secs(60)).ok());
        let handled = match reader.for_order(&order.to_string(), since) {
            Ok(handled) => handled,
            Err(error) => {
                ui::note(&format!("{error:#}"));
                continue;
            }
        };
        let Some(start) = handled.first().map(|first| first.at) else {
            ui::note("the functions' logs do not mention the order; they may have expired");
            continue;
        };
        timeline::print_header();
        for handled in handled.iter().filter(|handled| !handled.trigger.starts_with("GET ")) {
            timeline::print_handled(handled, start);
        }
    }
    let left = orders.len().saturating_sub(MAX_TIMELINES);
    if left > 0 {
        ui::note(&format!("{left} more orders: {} timeline <order>", stack.target.program));
    }
}

/// The report as JSON.
pub fn json(report: &Report) -> Value {
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
        "mode": report.mode,
        "holds": report.holds(),
        "counts": counts,
        "violations": violations.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}
