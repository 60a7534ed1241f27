//! The crash pass: every fault at every call of every function, one run each, and every two faults at calls of
//! the payment provider. More pairs: `cargo xtask simulate --crash-pass 2`.

use std::sync::Arc;
use std::time::Duration;

use simulation::crash_pass::{Pairs, crash_pass};
use simulation::mutation::Mutation;
use simulation::run::{Setup, run};
use simulation::scenarios::{self, end};
use simulation::wiring::Wiring;

#[test]
fn each_scenario_has_its_end() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    for scenario in scenarios::all() {
        let outcome = run(&scenario.setup, &wiring);
        assert_eq!(outcome.violations, [""; 0], "{}", scenario.name);
        assert_eq!(end(&outcome), scenario.ends[0], "{}", scenario.name);
    }
}

#[test]
fn a_fault_at_any_call_does_not_change_the_final_state() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let report = crash_pass(&scenarios::all(), Pairs::None, None, &wiring);
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n\n"));
    println!("{} runs", report.runs);
    assert!(report.runs > 4_000);
}

#[test]
fn two_faults_at_calls_of_the_provider_do_not_change_the_final_state() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let report = crash_pass(&scenarios::all(), Pairs::Provider, None, &wiring);
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n\n"));
    println!("{} runs", report.runs);
    assert!(report.runs > 4_000);
}

#[test]
fn a_cancellation_that_was_lost_after_a_late_confirmation_is_detected() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let mutation = Some(Mutation::UnknownCountsAsCancelled);
    let cancelled: Vec<_> =
        scenarios::all().into_iter().filter(|scenario| scenario.name.starts_with("cancelled")).collect();
    let one = crash_pass(&cancelled, Pairs::None, mutation, &wiring);
    assert!(one.failures.is_empty(), "one fault does not show it: {}", one.failures.join("\n\n"));
    let two = crash_pass(&cancelled, Pairs::Provider, mutation, &wiring);
    assert!(two.failures.iter().any(|failure| failure.contains("but it was charged")), "{:?}", two.failures);
}

#[test]
fn an_amount_that_is_not_that_of_the_record_is_detected() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let contradicted: Vec<_> =
        scenarios::all().into_iter().filter(|scenario| scenario.setup.contradict.is_some()).collect();
    let report = crash_pass(&contradicted, Pairs::None, Some(Mutation::AmountFromEvent), &wiring);
    let is_it = |failure: &String| failure.contains("OneCapture: was charged 600, but its total is 500");
    assert!(report.failures.iter().any(is_it), "{:?}", report.failures);
}

#[test]
fn delivering_every_message_twice_does_not_change_the_final_state() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    for scenario in scenarios::all() {
        let once = run(&scenario.setup, &wiring);
        for later in [0, 1, 60, 3_600] {
            let name = format!("{}, redelivered after {later} s", scenario.name);
            let redeliver_after = Some(Duration::from_secs(later));
            let twice = run(&Setup { redeliver_after, ..scenario.setup.clone() }, &wiring);
            assert_eq!(twice.violations, [""; 0], "{name}");
            assert_eq!(end(&twice), scenario.ends[0], "{name}");
            assert_eq!(twice.final_snapshot.emails.len(), once.final_snapshot.emails.len(), "{name}");
            assert!(twice.calls.len() > once.calls.len(), "{name}: the messages were handled again");
        }
    }
}

#[test]
fn a_free_order_is_paid_without_a_payment_intent() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let free = scenarios::all().into_iter().find(|scenario| scenario.name == "free").unwrap();
    let outcome = run(&free.setup, &wiring);
    assert!(outcome.final_snapshot.intents.is_empty(), "{:?}", outcome.final_snapshot.intents);
}
