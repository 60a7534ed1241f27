//! Whoever comes first, `process-payment` or the provider's webhook, the payment ends the same.

use std::sync::Arc;

use domain::payment::{Payment, PaymentState};
use simulation::faults::{Fault, Plan};
use simulation::run::{Outcome, Setup, run};
use simulation::shop::Wish;
use simulation::wiring::Wiring;

/// The number of the first call of that name by a function.
fn call(outcome: &Outcome, function: &str, what: &str) -> Option<u64> {
    let is_it =
        |line: &&String| line.contains(&format!("{function}#")) && line.contains(&format!(": {what} (call "));
    let line = outcome.trace.iter().find(is_it)?;
    line.rsplit("(call ").next()?.trim_end_matches(')').parse().ok()
}

fn payment(outcome: &Outcome) -> &Payment {
    assert_eq!(outcome.violations, [""; 0], "{}", outcome.trace.join("\n"));
    let payments: Vec<_> = outcome.last.payments.values().collect();
    assert_eq!(payments.len(), 1);
    payments[0]
}

/// How long after the order was placed its payment ended, in seconds; and how it did.
fn end(outcome: &Outcome) -> (i64, &'static str) {
    let payment = payment(outcome);
    let (at, how) = match &payment.state {
        PaymentState::Succeeded { at, .. } => (at, "succeeded"),
        PaymentState::Declined { at, .. } => (at, "declined"),
        PaymentState::Voided { at, .. } => (at, "voided"),
        PaymentState::Charging { .. } => return (0, "charging"),
    };
    (at.duration_since(payment.order.placed_at).as_secs(), how)
}

#[test]
fn either_may_come_first() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
    let visibility = i64::try_from(wiring.timeout.as_secs() * 6).unwrap();
    for (method, how) in [("pm_visa", "succeeded"), ("pm_declined", "declined")] {
        let wish = Wish { method, ..Wish::plain() };
        let setup = Setup { trace: true, ..Setup::calm([5, 5], vec![wish]) };
        let first = run(&setup, &wiring);
        let (seconds, ended) = end(&first);
        assert!(seconds < 5 && ended == how, "process-payment comes first: {seconds} s, {ended}");

        // Killed when the provider had decided, before anybody here was told: the webhook comes first, as soon as the
        // lease has ended, and not when the queue hands the message out again.
        let call = call(&first, "process-payment", "provider.confirm").unwrap();
        let killed = Plan::Once { call, fault: Fault::Kill { effect: true } };
        let second = run(&Setup { plan: killed, ..setup }, &wiring);
        let (seconds, ended) = end(&second);
        assert!(
            (5..visibility).contains(&seconds) && ended == how,
            "the webhook first: {seconds} s, {ended}"
        );
    }
}

#[test]
fn what_the_provider_was_still_at_ends_when_it_tells() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
    let wish = Wish { method: "pm_slow", ..Wish::plain() };
    let outcome = run(&Setup { trace: true, ..Setup::calm([5, 5], vec![wish]) }, &wiring);
    assert_eq!(end(&outcome).1, "succeeded");
    let answers =
        outcome.trace.iter().filter(|line| line.contains("stripe-webhook#") && line.contains("put_events"));
    assert!(answers.count() >= 2, "processing, and succeeded");
}
