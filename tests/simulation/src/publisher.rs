//! A careless or hostile publisher, which repeats events of the bus with other contents: another total, other
//! lines, another customer, currency or reason; from another source; in an older or a newer schema; or about
//! orders that the shop does not know.
//!
//! Nothing protects the first event about an order: whoever may publish under a source that a rule matches
//! decides what is ordered. So an event that differs in what it orders arrives only once the record exists
//! that the services have to go by.

use std::sync::Arc;
use std::time::Duration;

use domain::payment::PaymentState;
use domain::reservation::{Reservation, ReservationState};
use domain::{Event, Fact, OrderDetails, OrderId};
use inventory::store::Reservations;
use payments::store::Payments;
use platform::idempotency::Key;
use serde_json::{Value, json};
use strum::VariantArray;
use uuid::Uuid;

use crate::ports::now;
use crate::world::World;

/// How long after the event its contradiction arrives at most, usually and in rare cases.
const USUAL_DELAY: Duration = Duration::from_secs(30);
const LONG_DELAY: Duration = Duration::from_secs(3600);
/// How often, and how many times, it is tried again if the records do not exist yet.
const WAIT: Duration = Duration::from_secs(1);
const MAX_WAITS: u32 = 120;

/// How an event differs from the one that it repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum Contradiction {
    /// Another price, and so another total.
    Total,
    /// A total that is not the sum of the lines.
    Sum,
    /// Another quantity in the first line.
    Lines,
    /// Another customer, with another address.
    Customer,
    /// Another payment method than the one in the order.
    PaymentMethod,
    /// Another currency in all amounts.
    Currency,
    /// Another reason, PaymentIntent or status.
    Reason,
    /// The opposite settlement of the reservation.
    Settlement,
    /// A source that does not own the event, with another total, or the opposite outcome.
    Source,
    /// A newer major version of the schema.
    NewSchema,
    /// Fields that no release knows yet.
    NewFields,
    /// A value that no release knows yet.
    NewValue,
    /// An order that the shop does not know.
    UnknownOrder,
}

use Contradiction::{
    Currency, Customer, Lines, NewFields, NewSchema, NewValue, PaymentMethod, Reason, Settlement, Source,
    Sum, Total, UnknownOrder,
};

impl Contradiction {
    /// Whether no function can act upon it: none gets the event, or none can parse it, or nothing that counts is
    /// different, or it is about an order of its own.
    fn is_powerless(self) -> bool {
        matches!(self, Source | Sum | NewSchema | NewFields | NewValue | UnknownOrder)
    }

    /// Whether it occurs in a run with services besides the order process.
    ///
    /// These pass on what an event states: the ledger its total, lines, customer and reason, an invoice its lines and
    /// its customer, a webhook its total and reason. They have no record of their own to compare that with, and trust
    /// whoever may publish under the source that owns the event. None of them reads the payment method, and none
    /// subscribes to the settlement of a reservation.
    fn is_harmless_to_services(self) -> bool {
        self.is_powerless() || matches!(self, PaymentMethod | Settlement)
    }
}

/// The order as a fact states it; `None` if the fact does not contain it.
pub fn stated_order(fact: &Fact) -> Option<&OrderDetails> {
    Some(match fact {
        Fact::OrderCreated(fact) => &fact.order,
        Fact::CancellationRequested(fact) => &fact.order,
        Fact::ReservationConfirmed(fact) => &fact.order,
        Fact::ReservationRejected(fact) => &fact.order,
        Fact::PaymentSucceeded(fact) => &fact.order,
        Fact::PaymentFailed(fact) => &fact.order,
        Fact::PaymentVoided(fact) => &fact.order,
        Fact::PaymentRefunded(fact) => &fact.order,
        Fact::ReservationCommitted(_) | Fact::ReservationReleased(_) | Fact::PaymentReported(_) => {
            return None;
        }
    })
}

/// The event as a release published it that did not know the attributes which are optional now.
pub fn in_old_schema(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        for name in ["dataschema", "datacontenttype", "traceparent", "causationid"] {
            fields.remove(name);
        }
    }
    event
}

/// May repeat an event that the bus has accepted, with other contents.
pub fn may_contradict(world: &Arc<World>, event: &Event) {
    if world.contradict.is_none() && !world.sim.should_inject(|rates| rates.contradict) {
        return;
    }
    let is_alone = world.services.is_empty();
    let kinds = Contradiction::VARIANTS.iter().filter(|kind| is_alone || kind.is_harmless_to_services());
    let kinds: Vec<Contradiction> = kinds.copied().collect();
    let (any, is_late) = world.sim.random(|rng| (kinds[rng.usize(0..kinds.len())], rng.u8(0..4) == 0));
    let what = world.contradict.unwrap_or(any);
    let delay = world.sim.random_delay(if is_late { LONG_DELAY } else { USUAL_DELAY });
    let (world, event) = (Arc::clone(world), event.clone());
    world.sim.clone().scheduler.schedule_in_flight(delay, move || {
        contradict(&world, event, what, MAX_WAITS);
    });
}

/// Contradicts an event as soon as the records exist that the services go by, if that is soon.
fn contradict(world: &Arc<World>, event: Event, what: Contradiction, waits: u32) {
    let Some(changed) = changed(world, &event, what) else { return };
    if !is_decided(world, &event, what) {
        if let Some(waits) = waits.checked_sub(1) {
            let waiting = Arc::clone(world);
            world.sim.scheduler.schedule_in_flight(WAIT, move || contradict(&waiting, event, what, waits));
        }
        return;
    }
    let text = |name: &str| changed[name].as_str().unwrap_or_default();
    // A rule matches the type of the entry, whatever the event itself states.
    let name = if what == NewValue { event.fact.name() } else { text("type") };
    let subject = text("subject").parse::<OrderId>().ok();
    world.sim.log(|| format!("a publisher contradicts {} of {}: {what:?}", event.fact.name(), event.subject));
    // Unknown fields change nothing: the message must be handled like the original.
    if what != NewFields {
        let other_reason = what == Reason && matches!(event.fact, Fact::CancellationRequested(_));
        world.observed.contradicted(subject.filter(|_| other_reason), World::message(name, &changed));
    }
    if what == UnknownOrder
        && let (Some(order), Ok(details)) =
            (subject, serde_json::from_value::<OrderDetails>(changed["data"]["order"].clone()))
    {
        world.observed.foreign_order(order, details);
        if let Ok(event) = serde_json::from_value(changed.clone()) {
            world.services.iter().for_each(|service| service.published(world, &event));
        }
    }
    world.deliver_to_subscribers(name, text("source"), &changed);
}

/// The changed event; `None` if it has nothing to change in this way.
fn changed(world: &World, event: &Event, what: Contradiction) -> Option<Value> {
    let mut changed = serde_json::to_value(event).ok()?;
    let data = changed.get_mut("data")?;
    let has_order = data.get("order").is_some();
    match what {
        Total => change_lines(data, |line| add(line.pointer_mut("/unit_price/amount"), 100))?,
        Lines => change_lines(data, |line| add(line.get_mut("quantity"), 1))?,
        Currency => {
            let order = data.get_mut("order")?;
            order["total"]["currency"] = json!("USD");
            for line in order["lines"].as_array_mut()? {
                line["unit_price"]["currency"] = json!("USD");
            }
        }
        Sum => add(data.pointer_mut("/order/total/amount"), 1)?,
        Customer => {
            let customer = data.pointer_mut("/order/customer")?;
            customer["id"] = json!("mallory");
            customer["email"] = json!("mallory@example.com");
        }
        PaymentMethod => data.get_mut("order")?["payment_method"] = json!("pm_stolen"),
        Reason => match &event.fact {
            Fact::PaymentReported(_) => {
                data["payment_intent"] = json!("pi_999");
                data["status"] = json!("cancelled");
            }
            Fact::PaymentFailed(_) => data["reason"] = json!({ "code": "expired_card" }),
            _ if data.get("reason")? == "customer_request" => data["reason"] = json!("expired"),
            _ => data["reason"] = json!("customer_request"),
        },
        Settlement => {
            changed["type"] = match &event.fact {
                Fact::ReservationCommitted(_) => json!("reservation.released"),
                Fact::ReservationReleased(_) => json!("reservation.committed"),
                _ => return None,
            };
            changed["dataschema"] = Value::Null;
        }
        Source => {
            let opposite = match &event.fact {
                Fact::PaymentSucceeded(_) => Some("payment.voided"),
                Fact::PaymentFailed(_) | Fact::PaymentVoided(_) => Some("payment.succeeded"),
                _ => None,
            };
            if opposite.is_some() {
                data["reason"] = json!("customer_request");
                data["amount"] = data["order"]["total"].clone();
            } else if has_order {
                change_lines(data, |line| add(line.pointer_mut("/unit_price/amount"), 100))?;
            }
            changed["source"] = json!("marketing");
            changed["type"] = json!(opposite.unwrap_or(event.fact.name()));
            changed["dataschema"] = Value::Null;
        }
        NewSchema => {
            changed["dataschema"] = json!(format!("urn:serverless-orders:event:{}:2", event.fact.name()));
        }
        NewFields => {
            data["loyalty_points"] = json!(7);
            if has_order {
                data["order"]["gift"] = json!({ "wrapped": true });
            }
            changed["partitionkey"] = json!("a");
        }
        NewValue if data.get("reason").is_some() => data["reason"] = json!("weather"),
        NewValue => changed["type"] = json!("order.archived"),
        UnknownOrder => {
            if !matches!(
                event.fact,
                Fact::OrderCreated(_)
                    | Fact::CancellationRequested(_)
                    | Fact::ReservationCommitted(_)
                    | Fact::ReservationReleased(_)
            ) {
                return None;
            }
            let id = Uuid::from_u128(world.sim.random(|rng| rng.u128(..)));
            if has_order {
                data["order"]["customer"]["id"] = json!(format!("foreign-{id}"));
                data["order"]["customer"]["email"] = json!(format!("{}@example.org", id.simple()));
            }
            changed["subject"] = json!(id);
        }
    }
    Some(changed)
}

fn add(number: Option<&mut Value>, more: u64) -> Option<()> {
    let number = number?;
    *number = json!(number.as_u64()?.checked_add(more)?);
    Some(())
}

/// Changes the first line of an order, and its total accordingly.
fn change_lines(data: &mut Value, change: impl FnOnce(&mut Value) -> Option<()>) -> Option<()> {
    change(data.pointer_mut("/order/lines/0")?)?;
    let lines = data["order"]["lines"].as_array()?;
    let prices = lines.iter().map(|line| {
        line["quantity"].as_u64().unwrap_or_default()
            * line["unit_price"]["amount"].as_u64().unwrap_or_default()
    });
    let total: u64 = prices.sum();
    data["order"]["total"]["amount"] = json!(total);
    if data.get("amount").is_some() {
        data["amount"]["amount"] = json!(total);
    }
    Some(())
}

/// Whether the records exist that the services go by when they receive the contradiction.
fn is_decided(world: &World, event: &Event, what: Contradiction) -> bool {
    if what.is_powerless() {
        return true;
    }
    let id = event.subject;
    let order = world.orders.all().remove(&id);
    let payment = now(Payments::get(&world.payments, id)).ok().flatten();
    let reservation = now(Reservations::get(&world.inventory, id)).ok().flatten();
    let has_outcome = order.as_ref().is_some_and(|order| order.outcome.is_some());
    let is_mailed = |kind: &str| world.claims.claims().contains_key(&Key::new(id, kind));
    match &event.fact {
        Fact::OrderCreated(_) => match reservation {
            Some(Reservation { state: ReservationState::Rejected { .. }, .. }) => {
                has_outcome && is_mailed("rejection")
            }
            // Other lines are refused; the same lines lead to the next record.
            Some(_) => payment.is_some() || matches!(what, Total | Lines | Currency),
            None => false,
        },
        Fact::CancellationRequested(_) | Fact::ReservationConfirmed(_) => payment.is_some(),
        Fact::ReservationRejected(_) => has_outcome && is_mailed("rejection"),
        Fact::PaymentSucceeded(_) => has_outcome && is_mailed("confirmation"),
        Fact::PaymentFailed(_) => has_outcome && is_mailed("payment_failure"),
        Fact::PaymentVoided(_) => {
            has_outcome
                && is_mailed("cancellation")
                && payment.is_some_and(|payment| matches!(payment.state, PaymentState::Voided { .. }))
        }
        Fact::ReservationCommitted(_) | Fact::ReservationReleased(_) => {
            order.is_some_and(|order| order.settlement.is_some())
        }
        Fact::PaymentReported(_) => true,
        Fact::PaymentRefunded(_) => false,
    }
}
