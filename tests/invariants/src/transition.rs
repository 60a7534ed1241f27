//! The rules that hold of two successive snapshots.

use std::collections::BTreeMap;

use domain::OrderId;
use domain::payment::PaymentState;
use domain::reservation::ReservationState;

use crate::rules::{Rule, Violation};
use crate::snapshot::Snapshot;

/// Checks two successive snapshots: final states have not changed, and no record has disappeared.
pub fn check_transition(before: &Snapshot, after: &Snapshot) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut report = |order_id: Option<OrderId>, detail: String| {
        violations.push(Violation { rule: Rule::FinalStays, order_id, detail });
    };
    for (id, old) in &before.orders {
        let Some(new) = after.orders.get(id) else {
            report(Some(*id), "the order has disappeared".to_owned());
            continue;
        };
        if old.outcome.is_some() && new.outcome != old.outcome {
            report(Some(*id), format!("its outcome changed from {:?} to {:?}", old.outcome, new.outcome));
        }
        if old.settlement.is_some() && new.settlement != old.settlement {
            report(
                Some(*id),
                format!("its settlement changed from {:?} to {:?}", old.settlement, new.settlement),
            );
        }
        if old.cancellation.is_some() && new.cancellation != old.cancellation {
            report(Some(*id), "its cancellation request has disappeared".to_owned());
        }
        if old.details != new.details {
            report(Some(*id), "the details of the order have changed".to_owned());
        }
    }
    for (id, old) in &before.payments {
        match after.payments.get(id) {
            None => report(Some(*id), "its payment record has disappeared".to_owned()),
            Some(new) if new.version < old.version => {
                report(
                    Some(*id),
                    format!(
                        "the version of its payment record went back from {} to {}",
                        old.version, new.version
                    ),
                );
            }
            Some(new) if !matches!(old.state, PaymentState::Charging { .. }) && new.state != old.state => {
                report(Some(*id), format!("its payment changed from {:?} to {:?}", old.state, new.state));
            }
            Some(_) => {}
        }
    }
    for (id, old) in &before.reservations {
        match after.reservations.get(id) {
            None => report(Some(*id), "its reservation has disappeared".to_owned()),
            Some(new) if old.state != ReservationState::Held && new != old => {
                let states = (old.state.name(), new.state.name());
                report(Some(*id), format!("its reservation changed from {} to {}", states.0, states.1));
            }
            Some(_) => {}
        }
    }
    let intents: BTreeMap<_, _> = after.intents.iter().map(|intent| (&intent.id, intent)).collect();
    for old in &before.intents {
        let new = intents.get(&old.id);
        if new.is_none_or(|new| new.captured < old.captured || new.refunded < old.refunded) {
            report(
                Some(old.order_id),
                format!(
                    "the provider had captured {} with {}, and now shows less captured or refunded",
                    old.captured, old.id
                ),
            );
        }
    }
    for sku in before.stock.keys().filter(|sku| !after.stock.contains_key(*sku)) {
        report(None, format!("the product {sku} has disappeared"));
    }
    for (sku, old) in &before.delivered {
        let new = after.delivered.get(sku).copied().unwrap_or_default();
        if new < *old {
            report(None, format!("{old} units of {sku} had been delivered, and now only {new}"));
        }
    }
    violations
}
