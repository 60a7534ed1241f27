//! The planted faults, with the alarms that each must raise, and in which time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use simulation::faults::Fault;
use simulation::recording::{Planted, Recorded, Shop, record};
use simulation::wiring::Wiring;

use crate::alarm::{Alarm, Condition};
use crate::data::{Data, Metric};
use crate::state::State;
use crate::timeline::changes;

/// For how many minutes a shop is healthy before the fault: an anomaly detector needs to know what is usual.
pub const HEALTHY_MINUTES: u32 = 90;
/// How many minutes a run has after that.
pub const FAULT_MINUTES: u32 = 45;

/// The shop of each run.
pub fn shop() -> Shop {
    Shop {
        services: vec!["operations", "search"],
        order_interval: Duration::from_secs(30),
        from: HEALTHY_MINUTES,
        minutes: HEALTHY_MINUTES + FAULT_MINUTES,
    }
}

/// A planted fault.
#[derive(Debug, Clone)]
pub struct Case {
    /// What goes wrong, as the document says it.
    pub name: &'static str,
    /// What is planted in the simulation.
    pub planted: Planted,
    /// The alarms that must be raised, each within so many minutes.
    pub raises: &'static [(&'static str, i64)],
}

/// The faults. The last ones are of kinds that the others do not cover.
pub fn cases() -> Vec<Case> {
    let failing = |caller, call| Planted::Calls { caller, call, fault: Fault::FailBefore };
    let killed = |caller| Planted::Calls { caller, call: "", fault: Fault::Kill { takes_effect: false } };
    let slow = |caller, call, milliseconds| Planted::Slow {
        caller,
        call,
        latency: Duration::from_millis(milliseconds),
    };
    let case = |name, planted, raises| Case { name, planted, raises };
    vec![
        case(
            "The payment provider is down",
            failing("", "provider."),
            &[("ProviderAlarm", 5), ("ProcessPaymentRecordsAlarm", 5), ("OldestOrderAlarm", 8)],
        ),
        case(
            "The orders table is throttled",
            failing("", "orders."),
            &[
                ("ApiErrorsAlarm", 5),
                ("RequestsObjectiveAlarm", 5),
                ("ExpireOrdersDeadLettersAlarm", 5),
                ("CheckHealthUnhealthyAlarm", 10),
            ],
        ),
        case(
            "The payments table is throttled",
            failing("", "payments."),
            &[("ProcessPaymentRecordsAlarm", 5), ("OldestOrderAlarm", 8)],
        ),
        case(
            "`send-email` fails each record",
            failing("send-email", "mailer."),
            &[("SendEmailRecordsAlarm", 5), ("SendEmailDeadLettersAlarm", 30)],
        ),
        case(
            "The mapping of `relay-outbox` is disabled",
            Planted::Stopped("relay-outbox"),
            &[("OutboxAlarm", 8), ("OrdersObjectiveAlarm", 15)],
        ),
        case(
            "The schedule of `expire-orders` is disabled",
            Planted::Stopped("expire-orders"),
            &[("ExpireOrdersSilentAlarm", 10)],
        ),
        case(
            "The schedule of `check-health` is disabled",
            Planted::Stopped("check-health"),
            &[("CheckHealthSilentAlarm", 30)],
        ),
        case(
            "60 poison messages a minute to `reserve-inventory`",
            Planted::Poison("reserve-inventory", 60),
            &[("ReserveInventoryDeadLettersAlarm", 2), ("ReserveInventoryRecordsAlarm", 5)],
        ),
        case(
            "`orders-api` is slow: 1.2 s more for each call that it makes",
            slow("orders-api", "", 600),
            &[("ApiLatencyAlarm", 5), ("RequestsObjectiveAlarm", 5)],
        ),
        case("Nobody orders", Planted::NoOrders, &[("NoOrdersAlarm", 20)]),
        case(
            "The mapping of `track-order` is disabled",
            Planted::Stopped("track-order"),
            &[("TrackOrderWaitingAlarm", 10), ("OldestOrderAlarm", 8), ("CheckHealthUnhealthyAlarm", 15)],
        ),
        case(
            "`reserve-inventory` is killed in each invocation",
            killed("reserve-inventory"),
            &[("ReserveInventoryErrorsAlarm", 6), ("OldestOrderAlarm", 8)],
        ),
        case(
            "`relay-outbox` is killed in each invocation",
            killed("relay-outbox"),
            &[("RelayOutboxErrorsAlarm", 6), ("OutboxAlarm", 8)],
        ),
        case(
            "`index-order` is killed in each invocation",
            killed("index-order"),
            &[("IndexOrderErrorsAlarm", 6), ("IndexOrderWaitingAlarm", 30)],
        ),
        case(
            "Reading the open orders takes 50 s",
            slow("expire-orders", "orders.list_open", 25_000),
            &[("ExpireOrdersDurationAlarm", 3)],
        ),
        case(
            "The scan of the open orders never ends: 41 s before its first page",
            slow("expire-orders", "outbox.list_created_before", 20_500),
            &[("ExpireOrdersUnfinishedAlarm", 15)],
        ),
    ]
}

/// The alarms that a fault raised, each with the minutes since the fault began, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The alarms that notify somebody, and their parts.
    pub alarms: Vec<(String, i64)>,
    /// The alarms that were raised while the shop was healthy.
    pub before: Vec<String>,
}

/// Records a run with a fault, and evaluates the alarms.
///
/// # Errors
/// If a log line violates the embedded metric format.
pub fn run(planted: Planted, alarms: &[Alarm], wiring: &Arc<Wiring>) -> Result<(Raised, Data)> {
    let shop = shop();
    let recorded = record(wiring, planted, &shop);
    let data = data(&recorded)?;
    let minute = |count: u32| recorded.began_at + 60 * i64::from(count);
    let fault_at = minute(HEALTHY_MINUTES);
    // The first minutes lack data points for the alarms about missing data.
    let changes = changes(alarms, &data, minute(20), minute(shop.minutes));
    let raised = changes.into_iter().filter(|change| change.state == State::Alarm);
    let (before, after): (Vec<_>, Vec<_>) = raised.partition(|change| change.second < fault_at);
    let mut alarms: Vec<(String, i64)> = Vec::new();
    for change in after {
        if alarms.iter().all(|(alarm, _)| *alarm != change.alarm) {
            alarms.push((change.alarm, (change.second - fault_at) / 60));
        }
    }
    Ok((Raised { alarms, before: before.into_iter().map(|change| change.alarm).collect() }, data))
}

/// The metrics of a run.
///
/// # Errors
/// If a log line violates the embedded metric format.
pub fn data(recorded: &Recorded) -> Result<Data> {
    let mut data = Data::default();
    for line in recorded.lines.lines() {
        data.add_line(line)?;
    }
    for point in &recorded.points {
        let dimensions = point.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let metric = Metric {
            namespace: point.namespace.to_owned(),
            name: point.name.to_owned(),
            dimensions: dimensions.collect(),
        };
        data.add(metric, point.second, point.value);
    }
    Ok(data)
}

/// The parts of composite alarms, which notify nobody themselves.
pub fn parts(alarms: &[Alarm]) -> Vec<&str> {
    alarms
        .iter()
        .filter_map(|alarm| match &alarm.condition {
            Condition::Composite(rule) => Some(rule.alarms()),
            Condition::Metrics(_) => None,
        })
        .flatten()
        .collect()
}
