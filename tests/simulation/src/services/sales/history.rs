//! The sales of the days before a run, many of them in the same partition of the ledger, and some next to midnight.

use domain::{Line, Lines, OrderId};
use jiff::{SignedDuration, Timestamp};
use platform::lock;
use sales::ledger::sale::{Paid, PlacedOrder, Sale, Timestamped};
use sales::ledger::store::Ledger;
use serde_json::json;
use uuid::Uuid;

use crate::ports::now;
use crate::world::World;

/// Writes random sales of the previous day and of today to the ledger.
pub(super) fn record(world: &World) {
    let zone = &world.wiring.shop_time_zone;
    let started_at = world.sim.now();
    let midnight = zone.to_timestamp(zone.to_datetime(started_at).date().into()).unwrap_or(started_at);
    for number in 0..world.sim.random(|rng| rng.usize(0..=14)) {
        let (offset, paid_after) = world.sim.random(|rng| {
            let offset = match rng.u8(0..4) {
                0 => SignedDuration::from_millis([-1, 0, 1][rng.usize(0..3)]),
                1 => SignedDuration::from_secs(-rng.i64(0..86_400)),
                _ => SignedDuration::from_secs(rng.i64(0..30_000)),
            };
            (offset, rng.bool().then(|| SignedDuration::from_secs(rng.i64(0..60))))
        });
        let placed_at = midnight.saturating_add(offset).unwrap_or(midnight);
        let sale = sale(world, number, placed_at, paid_after);
        drop(now(Ledger::write(&world.parts.sales.ledger, None, &sale)));
        lock(&world.parts.sales.history).insert(sale.order_id, sale);
    }
}

fn sale(world: &World, number: usize, placed_at: Timestamp, paid_after: Option<SignedDuration>) -> Sale {
    // The last digit selects the partition: one of two, so that it has several pages.
    let id = world.sim.random(|rng| (rng.u128(..) & !0xf) | rng.u128(0..2));
    let line = json!({ "sku": "TEA", "quantity": 1 + number % 3, "unit_price": { "amount": 450, "currency": "EUR" } });
    let customer = format!("h-{number}");
    let (Ok(lines), Ok(customer_id), Ok(customer_name), Ok(customer_email)) = (
        serde_json::from_value::<Vec<Line>>(json!([line])),
        customer.parse(),
        "Grace Hopper".parse(),
        format!("{customer}@example.com").parse(),
    ) else {
        unreachable!("the sale is valid")
    };
    let Ok(lines) = Lines::try_from(lines) else { unreachable!("the lines are valid") };
    let amount = lines.total();
    let paid = paid_after.map(|wait| {
        let at = placed_at.saturating_add(wait).unwrap_or(placed_at);
        Timestamped { at, value: Paid { amount } }
    });
    Sale {
        order_id: OrderId::from(Uuid::from_u128(id)),
        order: PlacedOrder { customer_id, customer_name, customer_email, lines, placed_at },
        reserved: None,
        cancellation: None,
        rejected: None,
        paid,
        declined: None,
        voided: None,
        refunds: std::collections::BTreeMap::new(),
    }
}
