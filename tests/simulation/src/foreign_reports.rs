//! Webhooks that must have no effect: forged ones, and genuine ones about PaymentIntents that are not ours.

use std::sync::Arc;

use bytes::Bytes;
use domain::OrderId;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ports::Ports;
use crate::webhooks::{SECRET, deliver};
use crate::world::World;

/// A webhook without an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// Signed with another secret.
    WrongSecret,
    /// Captured, and sent again after the tolerance of the signature.
    Stale,
    /// The body does not belong to the signature.
    ChangedBody,
    /// Of a PaymentIntent that names one of our orders, but that the shop has not created.
    OtherIntent,
    /// Of a PaymentIntent that something else in the account has created.
    NoOrder,
    /// Of an order that the shop does not know.
    UnknownOrder,
}

const ALL: [Report; 6] = [
    Report::WrongSecret,
    Report::Stale,
    Report::ChangedBody,
    Report::OtherIntent,
    Report::NoOrder,
    Report::UnknownOrder,
];

/// May send one such webhook.
pub fn may_send(world: &Arc<World>) {
    if !world.sim.should_inject(|rates| rates.foreign_report) {
        return;
    }
    let orders: Vec<OrderId> = world.orders.all().into_keys().collect();
    let Some(order) = world.sim.random(|rng| rng.choice(orders)) else { return };
    let (report, kind, other) = world.sim.random(|rng| {
        let kinds = ["processing", "succeeded", "payment_failed", "canceled"];
        (ALL[rng.usize(0..ALL.len())], kinds[rng.usize(0..kinds.len())], rng.u128(..))
    });
    let intents = world.provider.intents();
    let intent = intents.iter().find(|(_, of, _)| *of == order).map_or("pi_0", |(id, ..)| id.as_str());
    let (intent, metadata): (&str, Value) = match report {
        Report::OtherIntent => ("pi_999", json!({ "order_id": order })),
        Report::NoOrder => ("pi_999", json!({})),
        Report::UnknownOrder => (intent, json!({ "order_id": Uuid::from_u128(other) })),
        Report::WrongSecret | Report::Stale | Report::ChangedBody => (intent, json!({ "order_id": order })),
    };
    let body = json!({
        "id": format!("evt_foreign_{other}"),
        "object": "event",
        "type": format!("payment_intent.{kind}"),
        "created": world.sim.now().as_second(),
        "data": { "object": { "id": intent, "object": "payment_intent", "metadata": metadata } },
    })
    .to_string();
    let ports = Ports { caller: world.sim.new_caller("provider").unkillable(), world: Arc::clone(world) };
    world.sim.scheduler.spawn(async move { send(&ports, report, body).await });
}

async fn send(ports: &Ports, report: Report, body: String) {
    let now = ports.world.sim.now();
    let secret = if report == Report::WrongSecret { "whsec_guessed" } else { SECRET };
    let age = SignedDuration::from_secs(if report == Report::Stale { 600 } else { 0 });
    let signed =
        if report == Report::ChangedBody { body.replace("payment_intent", "charge") } else { body.clone() };
    let answer = deliver(ports, secret, now - age, &signed, Bytes::from(body)).await;
    ports.caller.log(|| format!("the webhook {report:?} returned {answer:?}"));
    let Some(status) = answer.filter(|status| !status.is_server_error()) else { return };
    let is_forged = matches!(report, Report::WrongSecret | Report::Stale | Report::ChangedBody);
    if status.is_client_error() != is_forged {
        ports.world.report_violation(format!("the webhook {report:?} returned {status}"));
    }
}
