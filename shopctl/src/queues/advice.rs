//! Predicts what redriving a message would do, from the tables and with the rules that the functions apply.

use domain::order::Applied;
use domain::payment::{Goal, PaymentState, ProviderObservation, Request, Step};
use domain::reservation::{Decision, Reservation, ReservationState};
use domain::{Attempt, Event, Fact, OrderId, payment, reservation};
use jiff::SignedDuration;

use super::DeadLetterQueue;
use super::message::DeadLetterMessage;
use crate::audit::Tables;

/// Describes what the function would do with the message now.
pub fn describe(tables: &Tables<'_>, queue: &DeadLetterQueue, message: &DeadLetterMessage) -> String {
    if queue.function() == "IndexOrder" {
        return format!(
            "the orders table has the data: run {} search rebuild, then discard the message",
            tables.program()
        );
    }
    if message.is_stream_pointer() {
        return stream_pointer(tables);
    }
    let Some(body) = message.event() else {
        return "it is not JSON, so the function would reject it again: discard it".to_owned();
    };
    let event: Event = match serde_json::from_value(body) {
        Ok(event) => event,
        Err(_) => {
            return "this version does not know the event: deploy one that does, or discard the message"
                .to_owned();
        }
    };
    let advice = match queue.function() {
        "ReserveInventory" => tables.reservation(event.subject).map(|read| reserve(read.as_ref(), &event)),
        "ProcessPayment" | "VoidPayment" => {
            tables.payment(event.subject).map(|read| pay(read.as_ref(), &event))
        }
        "SettleReservation" => tables.reservation(event.subject).map(|read| settle(read.as_ref(), &event)),
        "TrackOrder" => tables.order(event.subject).map(|read| match read {
            None => "the order is not in the orders table: changes nothing".to_owned(),
            Some(order) => match order.apply(&event.fact) {
                Applied::Unchanged => "the order already reflects it: changes nothing".to_owned(),
                Applied::Changed(order) => format!("the order becomes {}", name(&order.status())),
                Applied::Conflict(why) => format!("is rejected again: {why}"),
            },
        }),
        "SendEmail" => email(tables, &event),
        "RelayOutbox" => Ok(format!(
            "publishes {} again; consumers that have handled it change nothing",
            event.fact.name()
        )),
        _ => Ok("the function handles it again; nothing that is final changes".to_owned()),
    };
    advice.unwrap_or_else(|error| format!("the effect is unknown: {error:#}"))
}

/// Describes Lambda's own record of a stream batch that it gave up on: it holds the position, not the events.
fn stream_pointer(tables: &Tables<'_>) -> String {
    let rows = tables.outbox_size();
    let next_step = match rows {
        Ok(0) => "The outbox is empty, so everything was published: discard it".to_owned(),
        Ok(rows) => format!(
            "The outbox holds {rows} events; expire-orders runs every minute and publishes those older than two \
             minutes. Discard the message when the outbox is empty"
        ),
        Err(error) => format!("Check the outbox table, which could not be read ({error:#})"),
    };
    format!("it contains no event to redrive, so it stays in the queue. {next_step}")
}

fn reserve(read: Option<&Reservation>, event: &Event) -> String {
    let Fact::OrderCreated(created) = &event.fact else { return not_subscribed(event) };
    let Some(read) = read else {
        return "there is no reservation yet: reserves the stock, if all of it is available at that price"
            .to_owned();
    };
    match reservation::reserve(
        Some(read),
        event.subject,
        &created.order.lines,
        &std::collections::BTreeMap::new(),
        event.time,
    ) {
        Decision::Refuse(why) => format!("is rejected again: {why}"),
        Decision::Unchanged(_) | Decision::Write { .. } => match read.state {
            ReservationState::Held | ReservationState::Committed => format!(
                "the reservation is {}: publishes reservation.confirmed again, changes nothing",
                read.state.name()
            ),
            ReservationState::Rejected { .. } => {
                "the reservation was rejected: publishes reservation.rejected again, changes nothing"
                    .to_owned()
            }
            ReservationState::Released => "the stock was released: does nothing".to_owned(),
        },
    }
}

fn pay(read: Option<&payment::Payment>, event: &Event) -> String {
    let (goal, order) = match &event.fact {
        Fact::ReservationConfirmed(confirmed) => (Goal::Charge, &confirmed.order),
        Fact::PaymentReported(reported) => {
            match read.filter(|payment| payment.is_charging(&reported.payment_intent)) {
                Some(payment) => (Goal::Charge, &payment.order),
                None => {
                    return format!(
                        "no charge is in progress with {}: does nothing",
                        reported.payment_intent
                    );
                }
            }
        }
        Fact::CancellationRequested(request) => (Goal::Void(request.reason), &request.order),
        _ => return not_subscribed(event),
    };
    let cause = event.to_cause();
    let request = Request { order_id: event.subject, order, cause: &cause };
    // A worker that does not exist, with a lease of no duration.
    let attempt = Attempt {
        owner: uuid::Uuid::nil(),
        now: crate::duration::now(),
        lease_duration: SignedDuration::ZERO,
    };
    let state = read.map(|payment| &payment.state);
    match payment::decide(read, goal, &ProviderObservation::Nothing, &request, &attempt) {
        Step::Publish(event) => format!(
            "the payment is already {}: publishes {} again, changes nothing",
            state_name(state),
            event.fact.name()
        ),
        Step::Wait { until: Some(until) } => {
            format!(
                "another worker holds the lease of the payment until {until:.0}: is redelivered after that"
            )
        }
        Step::Write(_) => match (state, goal) {
            (None, Goal::Charge) if order.total.is_zero() => {
                "there is no payment yet: records the order as paid, since there is nothing to charge"
                    .to_owned()
            }
            (None, Goal::Charge) => "there is no payment yet: charges the customer".to_owned(),
            (None, Goal::Void(_)) => {
                "there is no payment yet: ensures that there is never a charge".to_owned()
            }
            (Some(PaymentState::Charging { intent: Some(intent), .. }), _) => format!(
                "the outcome of the payment is unknown: queries the provider for {intent}, then {}",
                if goal == Goal::Charge { "completes it" } else { "voids it if it was not charged" }
            ),
            _ => "the payment is unfinished and nothing was charged: resumes it".to_owned(),
        },
        _ => "resumes the payment".to_owned(),
    }
}

fn settle(read: Option<&Reservation>, event: &Event) -> String {
    let (decision, effect) = match &event.fact {
        Fact::PaymentSucceeded(_) => {
            (reservation::commit(read, event.subject, event.time), "commits the reservation")
        }
        Fact::PaymentFailed(_) | Fact::PaymentVoided(_) => {
            (reservation::release(read, event.subject, event.time), "releases the reservation")
        }
        _ => return not_subscribed(event),
    };
    match decision {
        Decision::Refuse(why) => format!("is rejected again: {why}"),
        Decision::Unchanged(reservation) => {
            format!(
                "the reservation is already {}: publishes that again, changes nothing",
                reservation.state.name()
            )
        }
        Decision::Write { .. } if read.is_none() => {
            "there is no reservation: records that there never will be one".to_owned()
        }
        Decision::Write { .. } => effect.to_owned(),
    }
}

fn email(tables: &Tables<'_>, event: &Event) -> anyhow::Result<String> {
    let kind = match &event.fact {
        Fact::PaymentSucceeded(_) => "confirmation",
        Fact::ReservationRejected(_) => "rejection",
        Fact::PaymentFailed(_) => "payment_failure",
        Fact::PaymentVoided(_) => "cancellation",
        _ => return Ok(not_subscribed(event)),
    };
    Ok(match tables.was_sent(event.subject, kind)? {
        true => format!("the {kind} was already sent: sends nothing"),
        false => format!("sends the {kind}"),
    })
}

fn not_subscribed(event: &Event) -> String {
    format!("this function does not handle {}: is rejected again", event.fact.name())
}

fn state_name(state: Option<&PaymentState>) -> String {
    state.map_or_else(
        || "missing".to_owned(),
        |state| {
            let state = serde_json::to_value(state).unwrap_or_default();
            state.get("state").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        },
    )
}

/// The serialised name of a value.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The order that a message is about, if it names a valid id.
pub fn order_of(message: &DeadLetterMessage) -> Option<OrderId> {
    message.order_id()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use domain::payment::Payment;
    use domain::{Cause, OrderDetails};
    use serde_json::json;

    use super::*;

    const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn details() -> OrderDetails {
        serde_json::from_value(json!({
            "customer": {"id": "c", "name": "Ada", "email": "ada@example.com"},
            "lines": [{"sku": "TEA-001", "quantity": 2, "unit_price": {"amount": 50, "currency": "EUR"}}],
            "total": {"amount": 100, "currency": "EUR"},
            "payment_method": "pm_card_visa",
            "placed_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    fn event(kind: &str, more: serde_json::Value) -> Event {
        let mut data = json!({"order": details()});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fact: Fact = serde_json::from_value(json!({"type": kind, "data": data})).unwrap();
        let cause = Cause { correlation_id: "r".parse().unwrap(), causation_id: None, traceparent: None };
        Event::new(ORDER.parse().unwrap(), fact, jiff::Timestamp::UNIX_EPOCH, cause)
    }

    fn payment(state: serde_json::Value) -> Payment {
        let mut payment = json!({
            "order_id": ORDER, "order": details(), "cause": {"correlation_id": "r"}, "version": 3,
        });
        payment.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        serde_json::from_value(payment).unwrap()
    }

    fn reservation(state: &str) -> Reservation {
        let lines =
            if state == "held" || state == "committed" { Vec::from(details().lines) } else { Vec::new() };
        let state = serde_json::from_value(json!({"state": state, "shortages": []})).unwrap();
        Reservation {
            order_id: ORDER.parse().unwrap(),
            lines,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            changed_at: jiff::Timestamp::UNIX_EPOCH,
            state,
        }
    }

    #[test]
    fn a_redrive_that_charges_differs_from_one_that_does_not() {
        let confirmed = event("reservation.confirmed", json!({}));
        assert!(pay(None, &confirmed).contains("charges the customer"));
        let at = "2026-01-01T00:00:00Z";
        let paid = payment(json!({"state": "succeeded", "intent": "pi_1", "at": at}));
        assert_eq!(
            pay(Some(&paid), &confirmed),
            "the payment is already succeeded: publishes payment.succeeded again, changes nothing"
        );
        let voided = payment(json!({"state": "voided", "reason": "expired", "at": at}));
        assert!(pay(Some(&voided), &confirmed).contains("publishes payment.voided again"));
        let lease = |until: &str| json!({"owner": uuid::Uuid::from_u128(9), "expires_at": until});
        let charging = |until: &str| {
            payment(
                json!({"state": "charging", "lease": lease(until), "attempt": 1, "intent": "pi_1", "ending": null}),
            )
        };
        assert!(pay(Some(&charging(at)), &confirmed).contains("queries the provider for pi_1"));
        assert!(pay(Some(&charging("9000-01-01T00:00:00Z")), &confirmed).contains("until 9000-01-01"));
        let report = |intent: &str| {
            event(
                "payment.reported",
                json!({"payment_intent": intent, "report": "evt_1", "status": "failed"}),
            )
        };
        assert!(pay(Some(&charging(at)), &report("pi_1")).contains("queries the provider for pi_1"));
        for (read, intent) in [(Some(charging(at)), "pi_2"), (Some(paid), "pi_1"), (None, "pi_1")] {
            assert!(pay(read.as_ref(), &report(intent)).contains("does nothing"), "{intent}");
        }
        assert!(
            pay(None, &event("order.cancellation_requested", json!({"reason": "expired"}))).contains("never")
        );
    }

    #[test]
    fn the_effect_on_the_stock_is_predicted() {
        let created = event("order.created", json!({}));
        assert!(reserve(None, &created).contains("reserves the stock"));
        assert!(reserve(Some(&reservation("held")), &created).contains("reservation.confirmed again"));
        assert!(reserve(Some(&reservation("rejected")), &created).contains("reservation.rejected again"));
        assert!(reserve(Some(&reservation("released")), &created).contains("does nothing"));
        let failed = event("payment.failed", json!({"reason": {"code": "card_declined"}}));
        assert_eq!(settle(Some(&reservation("held")), &failed), "releases the reservation");
        assert!(settle(Some(&reservation("released")), &failed).contains("changes nothing"));
        assert!(settle(Some(&reservation("committed")), &failed).contains("is rejected again"));
        assert!(settle(None, &failed).contains("never will be"));
        assert!(settle(None, &created).contains("does not handle"));
    }
}
