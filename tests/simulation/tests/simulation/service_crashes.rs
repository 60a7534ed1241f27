//! A fault at any call of a service besides the order process violates none of its invariants.

use std::sync::Arc;

use inventory::import::progress::Counts;
use simulation::clients::OrderRequest;
use simulation::crash_pass::FAULTS;
use simulation::faults::Plan;
use simulation::run::{Setup, run, run_and_inspect};
use simulation::wiring::Wiring;

/// Injects each fault at each call of a run with this service, and returns the number of runs.
#[track_caller]
fn inject_everywhere(service: &'static str, requests: Vec<OrderRequest>) -> usize {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    // Without orders of clients, only the health check places some, and a fault may change how many.
    let has_orders = !requests.is_empty();
    let setup = Setup { services: vec![service], ..Setup::without_faults([5, 5], requests) };
    let without = run(&setup, &wiring);
    assert_eq!(without.violations, [""; 0]);
    let calls = u64::try_from(without.calls.len()).unwrap();
    let runs = (1..=calls).flat_map(|call| FAULTS.map(|fault| (call, fault)));
    let mut count = 0;
    for (call, fault) in runs {
        let with = Setup { plan: Plan::once(call, fault), ..setup.clone() };
        let outcome = run(&with, &wiring);
        count += 1;
        let has_other_end = has_orders && outcome.order_statuses != without.order_statuses;
        if !outcome.violations.is_empty() || has_other_end {
            let trace = run(&Setup { trace: true, ..with }, &wiring).trace.join("\n");
            panic!(
                "{trace}\n\n{fault:?} at call {call}: {:?}, {:?}",
                outcome.violations, outcome.order_statuses
            );
        }
    }
    count
}

/// The ends of the runs without faults are written down, so that a service that does nothing is noticed.
#[test]
fn without_faults_each_service_does_its_work() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let services = vec!["partners", "search", "imports", "media", "operations", "accounts"];
    let setup = Setup { services, ..Setup::without_faults([5, 5], vec![OrderRequest::simple()]) };
    let (outcome, ends) = run_and_inspect(&setup, &wiring, |world| {
        let parts = &world.parts;
        let received = parts.partners.receivers.received();
        let mut types: Vec<_> =
            received.iter().map(|it| it.payload["type"].as_str().unwrap().to_owned()).collect();
        types.sort();
        let imports: Vec<_> =
            parts.imports.imports.all().iter().map(|it| it.progress.counts.clone()).collect();
        let published = parts.media.published.lock().unwrap().iter().map(|event| event.fact.name()).collect();
        (types, imports, published, parts.accounts.updates(), parts.search.rows.all_records().len())
    });
    assert_eq!(outcome.violations, [""; 0]);
    let (types, imports, published, updates, records): (Vec<String>, Vec<Counts>, Vec<&str>, usize, usize) =
        ends;
    let once = ["order.created", "payment.succeeded", "reservation.confirmed"];
    assert_eq!(types, [&once[..1], &once].concat(), "the oldest event is sent again on request");
    let counts = |applied, repeated| Counts { rows: 5, applied, repeated, rejected: 2, pieces: 2 * applied };
    assert!(imports.contains(&counts(3, 0)) && imports.contains(&counts(0, 3)), "{imports:?}");
    assert_eq!(published, ["product.image_ready", "product.image_rejected"]);
    // One of the two devices of a customer is first.
    assert_eq!(updates, 2);
    assert_eq!(u32::try_from(records).unwrap(), outcome.order_statuses.values().sum::<u32>());
}

#[test]
fn invoices() {
    assert!(inject_everywhere("invoices", vec![OrderRequest::simple()]) > 500);
}

#[test]
fn sales() {
    assert!(inject_everywhere("sales", vec![OrderRequest::simple()]) > 500);
}

#[test]
fn partners() {
    assert!(inject_everywhere("partners", Vec::new()) > 500);
}

#[test]
fn search() {
    assert!(inject_everywhere("search", vec![OrderRequest::simple()]) > 500);
}

#[test]
fn imports() {
    assert!(inject_everywhere("imports", Vec::new()) > 100);
}

#[test]
fn media() {
    assert!(inject_everywhere("media", Vec::new()) > 100);
}

#[test]
fn operations() {
    assert!(inject_everywhere("operations", Vec::new()) > 500);
}

#[test]
fn accounts() {
    assert!(inject_everywhere("accounts", Vec::new()) > 100);
}
