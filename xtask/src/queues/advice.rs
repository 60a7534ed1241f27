//! What sending a message back would do, told from the tables by the same rules that the functions run.

use domain::order::Applied;
use domain::payment::{Goal, PaymentState, ProviderObservation, Request, Step};
use domain::reservation::{Decision, Reservation, ReservationState};
use domain::{Attempt, Event, Fact, OrderId, payment, reservation};
use jiff::SignedDuration;

use super::DeadLetterQueue;
use super::letter::DeadLetter;
use crate::audit::Tables;

/// What the function would do with the message now.
pub(crate) fn of(tables: &Tables<'_>, queue: &DeadLetterQueue, letter: &DeadLetter) -> String {
    if queue.function() == "IndexOrder" {
        return "the orders table has what it is about: cargo xtask search rebuild mends it. Then discard it"
            .to_owned();
    }
    if letter.is_stream_pointer() {
        return stream_pointer(tables);
    }
    let Some(body) = letter.event() else {
        return "it is no JSON: the function would not understand it again. Discard it".to_owned();
    };
    let event: Event = match serde_json::from_value(body) {
        Ok(event) => event,
        Err(_) => {
            return "it is no event that this version knows: deploy one that does, or discard it".to_owned();
        }
    };
    let told = match queue.function() {
        "ReserveInventory" => tables.reservation(event.subject).map(|read| reserve(read.as_ref(), &event)),
        "ProcessPayment" | "VoidPayment" => {
            tables.payment(event.subject).map(|read| pay(read.as_ref(), &event))
        }
        "SettleReservation" => tables.reservation(event.subject).map(|read| settle(read.as_ref(), &event)),
        "TrackOrder" => tables.order(event.subject).map(|read| match read {
            None => "the order is not in our table: changes nothing".to_owned(),
            Some(order) => match order.apply(&event.fact) {
                Applied::Unchanged => "the order knows that already: changes nothing".to_owned(),
                Applied::Changed(order) => format!("the order becomes {}", name(&order.status())),
                Applied::Conflict(why) => format!("is refused again: {why}"),
            },
        }),
        "SendEmail" => mail(tables, &event),
        "RelayOutbox" => {
            Ok(format!("{} is published again; whoever has handled it changes nothing", event.fact.name()))
        }
        _ => Ok("the function handles it anew; what is final does not change".to_owned()),
    };
    told.unwrap_or_else(|error| format!("cannot be told: {error:#}"))
}

/// Lambda's own record of a piece of a stream that it gave up on: it says where, not what.
fn stream_pointer(tables: &Tables<'_>) -> String {
    let rows = tables.waiting();
    let todo = match rows {
        Ok(0) => "The outbox is empty, so everything was published: discard it".to_owned(),
        Ok(rows) => format!(
            "{rows} rows are in the outbox; expire-orders publishes those older than two minutes, each minute. \
             Discard it when they are gone"
        ),
        Err(error) => format!("Look into the outbox table ({error:#})"),
    };
    format!("there is no event in it to send, so it stays. {todo}")
}

fn reserve(read: Option<&Reservation>, event: &Event) -> String {
    let Fact::OrderCreated(created) = &event.fact else { return not_for_it(event) };
    let Some(read) = read else {
        return "there is no reservation yet: holds the stock, if all of it can be had at that price"
            .to_owned();
    };
    match reservation::reserve(
        Some(read),
        event.subject,
        &created.order.lines,
        &std::collections::BTreeMap::new(),
    ) {
        Decision::Refuse(why) => format!("is refused again: {why}"),
        Decision::Unchanged(_) | Decision::Write { .. } => match read.state {
            ReservationState::Held | ReservationState::Committed => format!(
                "the reservation is {}: publishes reservation.confirmed again, changes nothing",
                read.state.name()
            ),
            ReservationState::Rejected { .. } => {
                "the reservation was rejected: publishes reservation.rejected again, changes nothing"
                    .to_owned()
            }
            ReservationState::Released => "the stock was released for good: does nothing".to_owned(),
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
                        "nothing is being charged with {}: does nothing",
                        reported.payment_intent
                    );
                }
            }
        }
        Fact::CancellationRequested(wish) => (Goal::Void(wish.reason), &wish.order),
        _ => return not_for_it(event),
    };
    let cause = event.to_cause();
    let request = Request { order_id: event.subject, order, cause: &cause };
    // Somebody who is not there yet, and asks for no time.
    let attempt = Attempt {
        owner: uuid::Uuid::nil(),
        now: crate::duration::now(),
        lease_duration: SignedDuration::ZERO,
    };
    let state = read.map(|payment| &payment.state);
    match payment::decide(read, goal, &ProviderObservation::Nothing, &request, &attempt) {
        Step::Publish(event) => format!(
            "the payment is {} already: publishes {} again, changes nothing",
            state_name(state),
            event.fact.name()
        ),
        Step::Wait { until: Some(until) } => {
            format!("somebody is at the payment until {until:.0}: comes again after that")
        }
        Step::Write(_) => match (state, goal) {
            (None, Goal::Charge) => "there is no payment yet: charges the customer".to_owned(),
            (None, Goal::Void(_)) => {
                "there is no payment yet: makes sure that there never is a charge".to_owned()
            }
            (Some(PaymentState::Charging { intent: Some(intent), .. }), _) => format!(
                "the payment is undecided: asks the provider what became of {intent}, then {}",
                if goal == Goal::Charge { "finishes it" } else { "voids it if it was not charged" }
            ),
            _ => "the payment is undecided, and nothing was charged: takes it up again".to_owned(),
        },
        _ => "takes the payment up where it was left".to_owned(),
    }
}

fn settle(read: Option<&Reservation>, event: &Event) -> String {
    let (decision, done) = match &event.fact {
        Fact::PaymentSucceeded(_) => (reservation::commit(read, event.subject), "sells what is held"),
        Fact::PaymentFailed(_) | Fact::PaymentVoided(_) => {
            (reservation::release(read, event.subject), "frees what is held")
        }
        _ => return not_for_it(event),
    };
    match decision {
        Decision::Refuse(why) => format!("is refused again: {why}"),
        Decision::Unchanged(reservation) => {
            format!("the reservation is {} already: says so again, changes nothing", reservation.state.name())
        }
        Decision::Write { .. } if read.is_none() => {
            "nothing is held: notes that nothing ever will be".to_owned()
        }
        Decision::Write { .. } => done.to_owned(),
    }
}

fn mail(tables: &Tables<'_>, event: &Event) -> anyhow::Result<String> {
    let kind = match &event.fact {
        Fact::PaymentSucceeded(_) => "confirmation",
        Fact::ReservationRejected(_) => "rejection",
        Fact::PaymentFailed(_) => "payment_failure",
        Fact::PaymentVoided(_) => "cancellation",
        _ => return Ok(not_for_it(event)),
    };
    Ok(match tables.was_sent(event.subject, kind)? {
        true => format!("the {kind} was sent already: sends nothing"),
        false => format!("sends the {kind}"),
    })
}

fn not_for_it(event: &Event) -> String {
    format!("{} is not for this function: is refused again", event.fact.name())
}

fn state_name(state: Option<&PaymentState>) -> String {
    state.map_or_else(
        || "not there".to_owned(),
        |state| {
            let state = serde_json::to_value(state).unwrap_or_default();
            state.get("state").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
        },
    )
}

/// A name as it stands in JSON.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The order that a message is about, where its id is one.
pub(crate) fn order_of(letter: &DeadLetter) -> Option<OrderId> {
    letter.order_id()?.parse().ok()
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
        Reservation { order_id: ORDER.parse().unwrap(), lines, state }
    }

    #[test]
    fn a_late_charge_is_told_from_a_first_one() {
        let confirmed = event("reservation.confirmed", json!({}));
        assert!(pay(None, &confirmed).contains("charges the customer"));
        let at = "2026-01-01T00:00:00Z";
        let paid = payment(json!({"state": "succeeded", "intent": "pi_1", "at": at}));
        assert_eq!(
            pay(Some(&paid), &confirmed),
            "the payment is succeeded already: publishes payment.succeeded again, changes nothing"
        );
        let voided = payment(json!({"state": "voided", "reason": "expired", "at": at}));
        assert!(pay(Some(&voided), &confirmed).contains("publishes payment.voided again"));
        let lease = |until: &str| json!({"owner": uuid::Uuid::from_u128(9), "expires_at": until});
        let left = |until: &str| {
            payment(
                json!({"state": "charging", "lease": lease(until), "attempt": 1, "intent": "pi_1", "ending": null}),
            )
        };
        assert!(pay(Some(&left(at)), &confirmed).contains("asks the provider what became of pi_1"));
        assert!(pay(Some(&left("9000-01-01T00:00:00Z")), &confirmed).contains("until 9000-01-01"));
        let report = |intent: &str| {
            event(
                "payment.reported",
                json!({"payment_intent": intent, "report": "evt_1", "status": "failed"}),
            )
        };
        assert!(pay(Some(&left(at)), &report("pi_1")).contains("asks the provider what became of pi_1"));
        for (read, intent) in [(Some(left(at)), "pi_2"), (Some(paid), "pi_1"), (None, "pi_1")] {
            assert!(pay(read.as_ref(), &report(intent)).contains("does nothing"), "{intent}");
        }
        assert!(
            pay(None, &event("order.cancellation_requested", json!({"reason": "expired"}))).contains("never")
        );
    }

    #[test]
    fn what_becomes_of_the_stock_is_told() {
        let created = event("order.created", json!({}));
        assert!(reserve(None, &created).contains("holds the stock"));
        assert!(reserve(Some(&reservation("held")), &created).contains("reservation.confirmed again"));
        assert!(reserve(Some(&reservation("rejected")), &created).contains("reservation.rejected again"));
        assert!(reserve(Some(&reservation("released")), &created).contains("does nothing"));
        let failed = event("payment.failed", json!({"reason": {"code": "card_declined"}}));
        assert_eq!(settle(Some(&reservation("held")), &failed), "frees what is held");
        assert!(settle(Some(&reservation("released")), &failed).contains("changes nothing"));
        assert!(settle(Some(&reservation("committed")), &failed).contains("is refused again"));
        assert!(settle(None, &failed).contains("nothing ever will be"));
        assert!(settle(None, &created).contains("not for this function"));
    }
}
