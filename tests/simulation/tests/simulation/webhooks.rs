//! Whether `process-payment` or the provider's webhook comes first, the payment has the same outcome.

use std::sync::Arc;

use domain::payment::{Payment, PaymentState};
use simulation::clients::OrderRequest;
use simulation::faults::{Fault, Plan};
use simulation::run::{Outcome, Setup, run};
use simulation::wiring::Wiring;

/// The number of the first call with this name by a function.
fn call(outcome: &Outcome, function: &str, what: &str) -> Option<u64> {
    let is_it =
        |line: &&String| line.contains(&format!("{function}#")) && line.contains(&format!(": {what} (call "));
    let line = outcome.trace.iter().find(is_it)?;
    line.rsplit("(call ").next()?.trim_end_matches(')').parse().ok()
}

fn payment(outcome: &Outcome) -> &Payment {
    assert_eq!(outcome.violations, [""; 0], "{}", outcome.trace.join("\n"));
    let payments: Vec<_> = outcome.final_snapshot.payments.values().collect();
    assert_eq!(payments.len(), 1);
    payments[0]
}

/// The seconds from the placement of the order to the end of its payment, and the final status.
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
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let visibility = i64::try_from(wiring.timeout.as_secs() * 6).unwrap();
    for (method, how) in [("pm_visa", "succeeded"), ("pm_declined", "declined")] {
        let order_request = OrderRequest { payment_method: method, ..OrderRequest::simple() };
        let setup = Setup { trace: true, ..Setup::without_faults([5, 5], vec![order_request]) };
        let first = run(&setup, &wiring);
        let (seconds, ended) = end(&first);
        assert!(seconds < 5 && ended == how, "process-payment comes first: {seconds} s, {ended}");

        // Killed after the provider has decided, before the result is stored: the webhook comes first, as
        // soon as the lease has expired, and not only when the queue redelivers the message.
        let call = call(&first, "process-payment", "provider.confirm").unwrap();
        let killed = Plan::once(call, Fault::Kill { takes_effect: true });
        let second = run(&Setup { plan: killed, ..setup }, &wiring);
        let (seconds, ended) = end(&second);
        assert!(
            (5..visibility).contains(&seconds) && ended == how,
            "the webhook comes first: {seconds} s, {ended}"
        );
    }
}

#[test]
fn a_processing_payment_ends_with_the_webhook() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let order_request = OrderRequest { payment_method: "pm_slow", ..OrderRequest::simple() };
    let outcome = run(&Setup { trace: true, ..Setup::without_faults([5, 5], vec![order_request]) }, &wiring);
    assert_eq!(end(&outcome).1, "succeeded");
    let answers =
        outcome.trace.iter().filter(|line| line.contains("stripe-webhook#") && line.contains("put_events"));
    assert!(answers.count() >= 2, "one webhook for processing, one for succeeded");
}
