//! Each planted fault raises the alarms that it must, in time; a healthy run raises none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use alarms::alarm::{Condition, STACK};
use alarms::document::{Report, report};
use alarms::faults::shop;
use architecture::workspace::root;
use simulation::recording::recorded_functions;
use simulation::wiring::Wiring;

#[expect(clippy::unwrap_used, reason = "a test, of which all runs are a part")]
static REPORT: LazyLock<Report> = LazyLock::new(|| report().unwrap());

/// The alarms that no planted fault raises.
const NOT_PLANTED: [&str; 1] = ["ThrottlesAlarm"];

/// The endings of the names of alarms that many functions have.
const KINDS: [&str; 5] = ["DeadLettersAlarm", "RecordsAlarm", "ErrorsAlarm", "WaitingAlarm", "DurationAlarm"];

fn kind(alarm: &str) -> &str {
    KINDS.into_iter().find(|kind| alarm.ends_with(kind)).unwrap_or(alarm)
}

#[test]
fn a_healthy_run_raises_no_alarm() {
    let (raised, _) = &REPORT.healthy;
    assert_eq!((&raised.before, &raised.alarms), (&Vec::new(), &Vec::new()));
    for (case, raised, _) in &REPORT.faulty {
        assert!(raised.before.is_empty(), "{}: before the fault, {:?}", case.name, raised.before);
    }
}

#[test]
fn each_fault_raises_its_alarms_in_time() {
    let mut missing = Vec::new();
    for (case, raised, _) in &REPORT.faulty {
        for (alarm, at_most) in case.raises {
            let after = raised.alarms.iter().find(|(other, _)| other == alarm).map(|(_, minutes)| *minutes);
            if after.is_none_or(|minutes| minutes > *at_most) {
                missing.push(format!("{}: {alarm} after {after:?} minutes, not {at_most}", case.name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// An alarm that nothing raises may be wrong without anybody noticing.
#[test]
fn each_kind_of_alarm_is_raised_by_some_fault() {
    let raised = REPORT.faulty.iter().flat_map(|(_, raised, _)| &raised.alarms);
    let raised: BTreeSet<&str> = raised.map(|(alarm, _)| kind(alarm)).collect();
    let never = REPORT.alarms.iter().map(|alarm| kind(&alarm.id)).filter(|kind| !raised.contains(kind));
    assert_eq!(never.collect::<BTreeSet<_>>(), BTreeSet::from(NOT_PLANTED));
}

/// An alarm about a metric that nothing emits is never raised.
#[test]
fn each_metric_of_an_alarm_is_emitted() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let recorded = recorded_functions(&wiring, &shop().services);
    let datas = REPORT.faulty.iter().map(|(_, _, data)| data).chain([&REPORT.healthy.1]);
    let emitted: BTreeSet<_> = datas.flat_map(|data| data.metrics()).cloned().collect();
    let mut missing = BTreeMap::new();
    for alarm in &REPORT.alarms {
        let Condition::Metrics(condition) = &alarm.condition else { continue };
        for metric in condition.metrics() {
            let mut metric = metric.clone();
            // A function that handles records would emit its failures, too.
            if metric.name == "RecordsFailed" {
                metric.name = "RecordsHandled".to_owned();
            }
            let runs = recorded.iter().any(|function| alarm.id.starts_with(function))
                || metric.namespace == STACK && !kind(&alarm.id).eq("RecordsAlarm")
                || metric.namespace == "AWS/ApiGateway";
            if runs && !emitted.contains(&metric) {
                missing.insert(alarm.id.clone(), metric);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn each_alarm_names_a_section_of_the_runbook() {
    let runbook = std::fs::read_to_string(root().join("docs/RUNBOOK.md")).unwrap();
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let anchors: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let has_section = |description: &str| {
        description
            .rsplit_once("docs/RUNBOOK.md#")
            .is_some_and(|(_, name)| anchors.contains(name.trim_end_matches('.')))
    };
    let without = REPORT.alarms.iter().filter(|alarm| !has_section(&alarm.description));
    let without: Vec<_> = without.map(|alarm| (&alarm.id, &alarm.description)).collect();
    assert!(without.is_empty(), "{without:#?}");
}

#[test]
fn the_document_and_its_pictures_are_current() {
    for (path, text) in REPORT.files() {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{}: run `cargo xtask alarms`", path.display());
    }
}

/// A widget about a metric that nothing emits stays empty. What only happens in a fault happens in one of the runs.
#[test]
fn each_metric_of_a_dashboard_is_emitted() {
    assert_eq!(REPORT.dashboards.len(), 2);
    let datas: Vec<_> = REPORT.faulty.iter().map(|(_, _, data)| data).chain([&REPORT.healthy.1]).collect();
    let mut missing = Vec::new();
    for widget in REPORT.dashboards.iter().flat_map(|dashboard| &dashboard.widgets) {
        for metric in widget.metrics() {
            if !datas.iter().any(|data| data.metrics().any(|emitted| emitted == metric)) {
                missing.push(format!("{}: {metric:?}", widget.title));
            }
        }
        let finds_nothing =
            |name: &String| datas.iter().all(|data| widget.empty_searches(data).contains(name));
        let first = datas.first().map(|data| widget.empty_searches(data)).unwrap_or_default();
        missing.extend(first.iter().filter(|name| finds_nothing(name)).cloned());
    }
    // Stripe refuses and rejects nothing in these runs, and no payment is voided by a customer.
    missing.retain(|it| !["refused", "invalid"].iter().any(|outcome| it.contains(outcome)));
    assert!(missing.is_empty(), "{missing:#?}");
}
