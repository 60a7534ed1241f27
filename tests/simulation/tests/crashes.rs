//! The systematic pass: at every call of every function, everything that can go wrong there, one run each. After the
//! message has come again, all is as it would have been without.
//!
//! The idea is that of the sagas in Oxide's omicron, which are tested by failing each of their nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::payment::PaymentState;
use simulation::faults::{Fault, Plan};
use simulation::run::{Outcome, Setup, run};
use simulation::shop::Wish;
use simulation::wiring::Wiring;

const FAULTS: [Fault; 9] = [
    Fault::Kill { effect: false },
    Fault::Kill { effect: true },
    Fault::Before,
    Fault::After,
    Fault::Twice,
    Fault::Hang { effect: false, gives_up: None },
    Fault::Hang { effect: true, gives_up: Some(Duration::from_secs(5)) },
    Fault::Late(Duration::from_secs(600)),
    Fault::Stall(Duration::from_secs(900)),
];

fn scenarios() -> Vec<(&'static str, Setup)> {
    let plain = Wish::plain;
    let two = Wish { pieces: [2, 1], at: Duration::from_secs(1), ..plain() };
    vec![
        ("paid", Setup::calm([5, 5], vec![plain()])),
        ("declined", Setup::calm([5, 5], vec![Wish { method: "pm_declined", ..plain() }])),
        ("paid later", Setup::calm([5, 5], vec![Wish { method: "pm_slow", ..plain() }])),
        ("unknown card", Setup::calm([5, 5], vec![Wish { method: "pm_unknown", ..plain() }])),
        ("too little stock", Setup::calm([0, 5], vec![plain()])),
        ("another price", Setup::calm([5, 5], vec![Wish { cents: 499, ..plain() }])),
        ("two orders", Setup::calm([3, 1], vec![plain(), two])),
        ("too late to cancel", {
            Setup::calm([5, 5], vec![Wish { cancel_after: Some(Duration::from_secs(3000)), ..plain() }])
        }),
    ]
}

/// How it ended, but for ids and times.
fn end(outcome: &Outcome) -> Vec<String> {
    let last = &outcome.last;
    let by_customer: BTreeMap<_, _> =
        last.orders.values().map(|order| (order.details.customer.id.to_string(), order)).collect();
    let mut lines: Vec<String> = by_customer
        .into_iter()
        .map(|(customer, order)| {
            let payment = last.payments.get(&order.id).map(|payment| match payment.state {
                PaymentState::Charging { .. } => "charging",
                PaymentState::Succeeded { .. } => "succeeded",
                PaymentState::Declined { .. } => "declined",
                PaymentState::Voided { .. } => "voided",
            });
            let reservation = last.reservations.get(&order.id).map(|reservation| reservation.state.name());
            let captured: i64 = last
                .intents
                .iter()
                .filter(|intent| intent.order_id == order.id)
                .map(|intent| intent.captured)
                .sum();
            let (status, settlement) = (order.status(), order.settlement);
            format!(
                "{customer}: {status:?} {settlement:?}, {reservation:?}, {payment:?}, {captured} captured"
            )
        })
        .collect();
    lines.push(format!("{:?}", last.stock));
    lines
}

/// The mails, each once. One whose answer was lost may be sent twice: SES cannot be asked what it has sent.
fn mails(outcome: &Outcome) -> Vec<String> {
    let customer = |order| outcome.last.orders.get(&order).map(|order| order.details.customer.id.to_string());
    let mut mails: Vec<String> = outcome
        .last
        .mails
        .iter()
        .map(|mail| format!("{:?} {}", customer(mail.order_id), mail.kind))
        .collect();
    mails.sort();
    mails.dedup();
    mails
}

#[test]
fn a_fault_at_any_call_changes_nothing_in_the_end() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
    let mut runs = 0;
    for (name, setup) in scenarios() {
        let without = run(&setup, &wiring);
        assert_eq!(without.violations, [""; 0], "{name}");
        for call in 1..=without.calls {
            for fault in FAULTS {
                let with = Setup { plan: Plan::Once { call, fault }, ..setup.clone() };
                let outcome = run(&with, &wiring);
                runs += 1;
                let same = outcome.violations.is_empty()
                    && end(&outcome) == end(&without)
                    && mails(&outcome) == mails(&without);
                if !same {
                    let trace = run(&Setup { trace: true, ..with }, &wiring).trace.join("\n");
                    panic!(
                        "{trace}\n\n“{name}”, {fault:?} at call {call}: {:?}\n{:#?}\nwithout it:\n{:#?}",
                        outcome.violations,
                        (end(&outcome), mails(&outcome)),
                        (end(&without), mails(&without)),
                    );
                }
            }
        }
    }
    println!("{runs} runs");
    assert!(runs > 1_000);
}

#[test]
fn every_message_twice_changes_nothing_in_the_end() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
    for (name, setup) in scenarios() {
        let once = run(&setup, &wiring);
        for later in [0, 1, 60, 3_600] {
            let twice = Setup { double: Some(Duration::from_secs(later)), ..setup.clone() };
            let twice = run(&twice, &wiring);
            assert_eq!(twice.violations, [""; 0], "{name}, again after {later} s");
            assert_eq!(end(&twice), end(&once), "{name}, again after {later} s");
            assert_eq!(twice.last.mails.len(), once.last.mails.len(), "{name}, again after {later} s");
            assert!(twice.calls > once.calls, "{name}: it was handled again");
        }
    }
}
