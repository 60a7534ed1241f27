//! The crash pass: every fault at every call of every function, one run each. Once the message has been
//! redelivered, the result is the same as without the fault.
//!
//! The idea comes from the sagas in Oxide's omicron, which are tested by failing each of their nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::payment::PaymentState;
use simulation::clients::OrderRequest;
use simulation::faults::{Fault, Plan};
use simulation::run::{Outcome, Setup, run};
use simulation::services::optional;
use simulation::wiring::Wiring;

const FAULTS: [Fault; 9] = [
    Fault::Kill { takes_effect: false },
    Fault::Kill { takes_effect: true },
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::RetriedBySdk,
    Fault::Hang { takes_effect: false, client_timeout: None },
    Fault::Hang { takes_effect: true, client_timeout: Some(Duration::from_secs(5)) },
    Fault::Delayed(Duration::from_secs(600)),
    Fault::Stall(Duration::from_secs(900)),
];

fn scenarios() -> Vec<(&'static str, Setup)> {
    let simple = OrderRequest::simple;
    let two = OrderRequest { quantities: [2, 1], at: Duration::from_secs(1), ..simple() };
    let order_process = vec![
        ("paid", Setup::without_faults([5, 5], vec![simple()])),
        (
            "declined",
            Setup::without_faults([5, 5], vec![OrderRequest { payment_method: "pm_declined", ..simple() }]),
        ),
        (
            "slow payment",
            Setup::without_faults([5, 5], vec![OrderRequest { payment_method: "pm_slow", ..simple() }]),
        ),
        (
            "unknown card",
            Setup::without_faults([5, 5], vec![OrderRequest { payment_method: "pm_unknown", ..simple() }]),
        ),
        ("free", Setup::without_faults([5, 5], vec![OrderRequest { unit_price: 0, ..simple() }])),
        ("out of stock", Setup::without_faults([0, 5], vec![simple()])),
        ("changed price", Setup::without_faults([5, 5], vec![OrderRequest { unit_price: 499, ..simple() }])),
        ("two orders", Setup::without_faults([3, 1], vec![simple(), two])),
        ("too late to cancel", {
            Setup::without_faults(
                [5, 5],
                vec![OrderRequest { cancel_after: Some(Duration::from_secs(3000)), ..simple() }],
            )
        }),
    ];
    // One for each service besides the order process.
    let with_service = optional().map(|service| {
        let setup = Setup::without_faults([5, 5], vec![simple()]);
        (service, Setup { services: vec![service], ..setup })
    });
    order_process.into_iter().chain(with_service).collect()
}

/// The final state of a run, without ids and times.
fn end(outcome: &Outcome) -> Vec<String> {
    let last = &outcome.final_snapshot;
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

/// The emails, without duplicates. An email whose response was lost may be sent twice: SES offers no way to
/// look up what it has sent.
fn emails(outcome: &Outcome) -> Vec<String> {
    let customer =
        |order| outcome.final_snapshot.orders.get(&order).map(|order| order.details.customer.id.to_string());
    let mut emails: Vec<String> = outcome
        .final_snapshot
        .emails
        .iter()
        .map(|email| format!("{:?} {}", customer(email.order_id), email.kind))
        .collect();
    emails.sort();
    emails.dedup();
    emails
}

#[test]
fn a_fault_at_any_call_does_not_change_the_final_state() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
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
                    && emails(&outcome) == emails(&without);
                if !same {
                    let trace = run(&Setup { trace: true, ..with }, &wiring).trace.join("\n");
                    panic!(
                        "{trace}\n\n“{name}”, {fault:?} at call {call}: {:?}\n{:#?}\nwithout the fault:\n{:#?}",
                        outcome.violations,
                        (end(&outcome), emails(&outcome)),
                        (end(&without), emails(&without)),
                    );
                }
            }
        }
    }
    println!("{runs} runs");
    assert!(runs > 1_000);
}

#[test]
fn delivering_every_message_twice_does_not_change_the_final_state() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    for (name, setup) in scenarios() {
        let once = run(&setup, &wiring);
        for later in [0, 1, 60, 3_600] {
            let twice = Setup { redeliver_after: Some(Duration::from_secs(later)), ..setup.clone() };
            let twice = run(&twice, &wiring);
            assert_eq!(twice.violations, [""; 0], "{name}, redelivered after {later} s");
            assert_eq!(end(&twice), end(&once), "{name}, redelivered after {later} s");
            assert_eq!(
                twice.final_snapshot.emails.len(),
                once.final_snapshot.emails.len(),
                "{name}, redelivered after {later} s"
            );
            assert!(twice.calls > once.calls, "{name}: the messages were handled again");
        }
    }
}

#[test]
fn a_free_order_is_paid_without_a_payment_intent() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let free = OrderRequest { unit_price: 0, ..OrderRequest::simple() };
    let outcome = run(&Setup::without_faults([5, 5], vec![free]), &wiring);
    assert_eq!(outcome.violations, [""; 0]);
    assert!(outcome.final_snapshot.intents.is_empty(), "{:?}", outcome.final_snapshot.intents);
    let ended = end(&outcome);
    assert!(ended[0].contains("Paid Some(Committed)") && ended[0].contains("0 captured"), "{ended:?}");
    assert_eq!(emails(&outcome).len(), 1);
}
