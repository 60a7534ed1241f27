//! A fault at any call of a service besides the order process violates none of its invariants.

use std::sync::Arc;

use inventory::import::progress::Counts;
use simulation::clients::OrderRequest;
use simulation::crash_pass::{Pairs, crash_pass};
use simulation::run::{Setup, run, run_and_inspect};
use simulation::scenarios;
use simulation::wiring::Wiring;

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

/// How many runs the pass over each service has at least: nine for each call of its scenario, less a tenth for calls that a
/// change may save.
const MIN_RUNS: [(&str, usize); 8] = [
    ("accounts", 200),
    ("imports", 185),
    ("invoices", 565),
    ("media", 305),
    ("operations", 470),
    ("partners", 540),
    ("sales", 1450),
    ("search", 460),
];

#[test]
fn a_fault_at_any_call_violates_nothing() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let scenarios = scenarios::of_services();
    assert_eq!(scenarios.iter().map(|it| it.name).collect::<Vec<_>>(), MIN_RUNS.map(|(service, _)| service));
    for (scenario, (service, min_runs)) in scenarios.into_iter().zip(MIN_RUNS) {
        assert_eq!(run(&scenario.setup, &wiring).violations, [""; 0], "{service}");
        let report = crash_pass(&[scenario], Pairs::None, None, &wiring);
        assert!(report.failures.is_empty(), "{service}: {}", report.failures.join("\n\n"));
        println!("{service}: {} runs", report.runs);
        assert!(report.runs >= min_runs, "{service}: {} runs", report.runs);
    }
}

/// Takes minutes: `cargo xtask simulate --crash-pass 2` includes it.
#[test]
#[ignore = "takes minutes"]
fn two_faults_at_calls_of_a_service_violate_nothing() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    for scenario in scenarios::of_services() {
        let service = scenario.name;
        let report = crash_pass(&[scenario], Pairs::OfService, None, &wiring);
        println!("{service}: {} runs", report.runs);
        assert!(report.failures.is_empty(), "{service}: {}", report.failures.join("\n\n"));
    }
}
