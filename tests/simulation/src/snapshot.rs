//! The records of the world as [`Snapshot`]s, the rules that are checked after each of their changes, and the
//! violations.

use std::collections::BTreeMap;

use domain::{OrderId, Sku};
use invariants::{Intent, Phase, Snapshot, Stock, check, check_transition};
use inventory::store::Reservations;
use jiff::SignedDuration;
use orders::store::Orders;
use payments::store::Payments;
use platform::lock;
use serde_json::json;

use crate::ports::now;
use crate::world::World;

/// The last checked snapshot of each order, and the violations so far.
#[derive(Debug, Default)]
pub(crate) struct RuleLog {
    last: BTreeMap<OrderId, Snapshot>,
    violations: Vec<String>,
}

impl World {
    /// Records a violation.
    pub fn report_violation(&self, what: String) {
        self.sim.log(|| format!("VIOLATION {what}"));
        lock(&self.rule_log).violations.push(what);
    }

    /// The violations so far.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.rule_log).violations.clone()
    }

    /// Checks the rules after a change of an order's records.
    pub fn check_order(&self, order: OrderId) {
        // A recorded run has many orders, and is about alarms.
        if self.recording.is_some() {
            return;
        }
        let snapshot = self.snapshot_of(order);
        if let Some(stored) = snapshot.orders.get(&order) {
            self.record_state(order, stored.into());
        }
        let before = lock(&self.rule_log).last.insert(order, snapshot.clone()).unwrap_or_default();
        let mut found = check_transition(&before, &snapshot);
        let is_held = |snapshot: &Snapshot| {
            let mut states = snapshot.reservations.values().map(|reservation| reservation.state.name());
            states.any(|state| state == "held")
        };
        if lock(&self.released).contains(&order) && is_held(&snapshot) && !is_held(&before) {
            self.report_violation(format!(
                "FinalStays: stock is held for order {order}, which was released before"
            ));
        }
        if before.reservations == snapshot.reservations {
            found.extend(check(&snapshot, self.phase()));
        } else {
            found.extend(check(&self.snapshot(), self.phase()));
        }
        for violation in found {
            self.report_violation(violation.to_string());
        }
    }

    fn phase(&self) -> Phase {
        Phase::Running { now: self.sim.now(), stuck_after: SignedDuration::MAX }
    }

    /// The snapshot of a single order.
    fn snapshot_of(&self, order: OrderId) -> Snapshot {
        let payment = now(Payments::get(&self.payments, order)).ok().flatten();
        let stored = now(Orders::get(&self.orders, order)).ok().flatten();
        let reservation = now(Reservations::get(&self.inventory, order)).ok().flatten();
        Snapshot {
            orders: stored.map(|stored| (order, stored.value)).into_iter().collect(),
            reservations: reservation.map(|found| (order, found)).into_iter().collect(),
            payments: payment.map(|payment| (order, payment)).into_iter().collect(),
            intents: self.intents(Some(order)),
            emails: lock(&self.emails).iter().filter(|email| email.order_id == order).cloned().collect(),
            ..Snapshot::default()
        }
    }

    fn intents(&self, only: Option<OrderId>) -> Vec<Intent> {
        let all = self.provider.intents().into_iter();
        all.filter(|(_, order, _)| only.is_none_or(|id| id == *order))
            .filter_map(|(id, order_id, captured)| {
                Some(Intent { id: id.parse().ok()?, order_id, captured, refunded: 0 })
            })
            .collect()
    }

    /// The snapshot of the whole system.
    pub fn snapshot(&self) -> Snapshot {
        let products = self.inventory.products();
        let stock = |product: &inventory::product::Product| Stock {
            available: i64::from(product.available),
            held: i64::from(product.held),
            sold: i64::from(product.sold),
        };
        let delivered = |(sku, quantity): (Sku, u64)| (sku, i64::try_from(quantity).unwrap_or(i64::MAX));
        let queues = lock(&self.queues);
        Snapshot {
            orders: self.orders.all(),
            reservations: self.inventory.reservations(),
            stock: products.iter().map(|product| (product.sku.clone(), stock(product))).collect(),
            delivered: self.inventory.delivered().into_iter().map(delivered).collect(),
            intents: self.intents(None),
            payments: self.payments.all(),
            emails: lock(&self.emails).clone(),
            outbox: self.orders.pending_events().into_iter().map(|event| (event.id, event)).collect(),
            queued_messages: queues
                .iter()
                .map(|queue| {
                    (
                        queue.subscription.function.clone(),
                        u64::try_from(queue.messages.len()).unwrap_or(u64::MAX),
                    )
                })
                .collect(),
            dead_letters: Vec::new(),
        }
    }

    /// The content of the tables by logical id, as JSON.
    pub fn stored(&self) -> BTreeMap<&'static str, String> {
        let claims: Vec<_> = self.claims.claims().into_values().map(|(claim, _)| claim).collect();
        let reservations: Vec<_> = self.inventory.reservations().into_values().collect();
        BTreeMap::from([
            ("OrdersTable", json!(self.orders.all().into_values().collect::<Vec<_>>())),
            ("OutboxTable", json!(self.orders.pending_events())),
            ("IdempotencyTable", json!(self.orders.idempotency_records())),
            ("ReservationsTable", json!(reservations)),
            ("ProductsTable", json!(self.inventory.products())),
            ("PaymentsTable", json!(self.payments.all().into_values().collect::<Vec<_>>())),
            ("EmailsTable", json!(claims)),
        ])
        .into_iter()
        .map(|(table, rows)| (table, rows.to_string()))
        .collect()
    }
}
