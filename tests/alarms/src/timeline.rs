//! The states of all alarms, minute by minute.

use std::collections::BTreeMap;

use crate::alarm::{Alarm, Condition};
use crate::data::Data;
use crate::state::State;

/// A change of the state of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When, in seconds.
    pub second: i64,
    /// The logical id of the alarm.
    pub alarm: String,
    /// Its new state.
    pub state: State,
}

/// Evaluates the alarms each minute from `from` to `until`, in seconds, and returns the changes of their states, which are `OK`
/// at first. Composite alarms follow their parts at once.
pub fn changes(alarms: &[Alarm], data: &Data, from: i64, until: i64) -> Vec<Change> {
    let mut states: BTreeMap<&str, State> =
        alarms.iter().map(|alarm| (alarm.id.as_str(), State::Ok)).collect();
    let mut changes = Vec::new();
    let mut second = from;
    while second <= until {
        let (metric, composite): (Vec<_>, Vec<_>) =
            alarms.iter().partition(|alarm| matches!(alarm.condition, Condition::Metrics(_)));
        for alarm in metric.into_iter().chain(composite) {
            let state_of = |id: &str| states.get(id).copied().unwrap_or(State::InsufficientData);
            let current = state_of(&alarm.id);
            let next = match &alarm.condition {
                Condition::Metrics(condition) => condition.next(data, second, current),
                Condition::Composite(rule) if rule.holds(&state_of) => State::Alarm,
                Condition::Composite(_) => State::Ok,
            };
            if next != current {
                states.insert(&alarm.id, next);
                changes.push(Change { second, alarm: alarm.id.clone(), state: next });
            }
        }
        second += 60;
    }
    changes
}
