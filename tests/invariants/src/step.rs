//! The rules about change.

use std::collections::BTreeMap;

use domain::OrderId;
use domain::payment::PaymentState;
use domain::reservation::ReservationState;

use crate::rules::{Rule, Violation};
use crate::snapshot::Snapshot;

/// Every rule about change that does not hold between two moments: final states stay, nothing that was there is
/// gone.
pub fn check_step(before: &Snapshot, after: &Snapshot) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut changed = |order_id: Option<OrderId>, detail: String| {
        found.push(Violation { rule: Rule::FinalStays, order_id, detail });
    };
    for (id, old) in &before.orders {
        let Some(new) = after.orders.get(id) else {
            changed(Some(*id), "the order is gone".to_owned());
            continue;
        };
        if old.outcome.is_some() && new.outcome != old.outcome {
            changed(Some(*id), format!("ended as {:?}, and then as {:?}", old.outcome, new.outcome));
        }
        if old.settlement.is_some() && new.settlement != old.settlement {
            changed(Some(*id), format!("its stock was {:?}, and then {:?}", old.settlement, new.settlement));
        }
        if old.cancellation.is_some() && new.cancellation != old.cancellation {
            changed(Some(*id), "the wish to cancel it is gone".to_owned());
        }
        if old.details != new.details {
            changed(Some(*id), "another thing was ordered than before".to_owned());
        }
    }
    for (id, old) in &before.payments {
        match after.payments.get(id) {
            None => changed(Some(*id), "its payment record is gone".to_owned()),
            Some(new) if new.version < old.version => {
                changed(
                    Some(*id),
                    format!("its payment went from version {} to {}", old.version, new.version),
                );
            }
            Some(new) if !matches!(old.state, PaymentState::Charging { .. }) && new.state != old.state => {
                changed(Some(*id), format!("its payment was {:?}, and then {:?}", old.state, new.state));
            }
            Some(_) => {}
        }
    }
    for (id, old) in &before.reservations {
        match after.reservations.get(id) {
            None => changed(Some(*id), "its reservation is gone".to_owned()),
            Some(new) if old.state != ReservationState::Held && new != old => {
                let states = (old.state.name(), new.state.name());
                changed(Some(*id), format!("its reservation was {}, and then {}", states.0, states.1));
            }
            Some(_) => {}
        }
    }
    let intents: BTreeMap<_, _> = after.intents.iter().map(|intent| (&intent.id, intent)).collect();
    for old in &before.intents {
        let new = intents.get(&old.id);
        if new.is_none_or(|new| new.captured < old.captured || new.refunded < old.refunded) {
            changed(
                Some(old.order_id),
                format!("the provider took {} by {}, and then less", old.captured, old.id),
            );
        }
    }
    for sku in before.stock.keys().filter(|sku| !after.stock.contains_key(*sku)) {
        changed(None, format!("the product {sku} is gone"));
    }
    for (sku, old) in &before.delivered {
        let new = after.delivered.get(sku).copied().unwrap_or_default();
        if new < *old {
            changed(None, format!("{old} pieces of {sku} were put in, and then only {new}"));
        }
    }
    found
}
