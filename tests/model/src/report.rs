//! Describes counterexamples for people.

use domain::FactKind;
use payments::finalization::{Next, ProviderRequest};

use crate::action::{Action, Fault};
use crate::drive::Protocol;
use crate::scope::Card;
use crate::state::{Attempt, EventKind, Function, Message, ReservationStatus, State, Status, Work};

/// The event type on the bus.
pub fn event_type(event: EventKind) -> &'static str {
    let kind = match event {
        EventKind::Created => FactKind::OrderCreated,
        EventKind::CancellationRequested(_) => FactKind::CancellationRequested,
        EventKind::Confirmed => FactKind::ReservationConfirmed,
        EventKind::Rejected => FactKind::ReservationRejected,
        EventKind::Committed => FactKind::ReservationCommitted,
        EventKind::Released => FactKind::ReservationReleased,
        EventKind::Succeeded => FactKind::PaymentSucceeded,
        EventKind::Failed => FactKind::PaymentFailed,
        EventKind::Voided(_) => FactKind::PaymentVoided,
    };
    kind.name()
}

/// The letter of an order: A, B, …
fn order(saga: usize) -> char {
    ('A'..='Z').nth(saga).unwrap_or('?')
}

fn attempt_label(saga: usize, message: Message) -> String {
    let (name, event, order) = (message.to.name(), event_type(message.event), order(saga));
    match message.to {
        Function::OrdersApi | Function::ExpireOrders => format!("{name} (order {order})"),
        _ => format!("{name} ({event}, order {order})"),
    }
}

fn describe_attempt(saga: usize, attempt: &Attempt) -> String {
    let late = if attempt.is_stalled { ", resuming late," } else { "" };
    format!("{}{late}", attempt_label(saga, attempt.message))
}

/// Describes a counterexample as numbered lines.
pub fn describe_steps(protocol: &Protocol, actions: &[Action]) -> Vec<String> {
    let mut state = protocol.initial_state();
    let mut lines = Vec::new();
    for (number, action) in (1..).zip(actions) {
        lines.push(format!("{number}. {}", describe_action(protocol, &state, *action)));
        if let Some(next) = protocol.apply(&state, *action) {
            state = next;
        }
    }
    lines
}

/// Describes an action in a sentence without its full stop.
fn describe_action(protocol: &Protocol, state: &State, action: Action) -> String {
    match action {
        Action::Place { saga, torn: false } => format!("the client places order {}", order(saga)),
        Action::Place { saga, torn: true } => {
            format!("orders-api writes order {} and crashes before it writes the outbox row", order(saga))
        }
        Action::Relay { saga, event } => {
            format!("relay-outbox starts on {} of order {}", event_type(event), order(saga))
        }
        Action::Deliver { saga, message, lease_expired, duplicate } => {
            let late = if lease_expired { ", and finds an expired lease" } else { "" };
            let again = if duplicate { "; the queue will deliver the message a second time" } else { "" };
            format!("{} starts and reads{late}{again}", attempt_label(saga, message))
        }
        Action::Advance { saga, attempt, fault, card } => {
            let attempt = &state.sagas[saga].attempts[attempt];
            let what = describe_effect(protocol, state, saga, attempt, card);
            let wrong = match fault {
                Fault::None => "",
                Fault::Crash => ", then crashes",
                Fault::LostRequest if matches!(attempt.work, Work::Relay { .. } | Work::Publish(_)) => {
                    ", but the bus rejects it"
                }
                Fault::LostRequest => ", but the request is lost",
                Fault::LostResponse => ", but the response is lost",
                Fault::SdkRetry => ", but the response is lost and the SDK's retry fails its condition",
            };
            format!("{} {what}{wrong}", describe_attempt(saga, attempt))
        }
        Action::Stall { saga, attempt } => {
            let attempt = &state.sagas[saga].attempts[attempt];
            format!(
                "{} stalls: its lease expires, and its message becomes visible again",
                describe_attempt(saga, attempt)
            )
        }
        Action::DeadLetter { saga, message } => {
            format!(
                "the message of {} exhausts its receives and goes to the dead-letter queue",
                attempt_label(saga, message)
            )
        }
        Action::Redrive { saga, message } => {
            format!("an operator redrives the message of {}", attempt_label(saga, message))
        }
        Action::Cancel { saga } => format!("the customer cancels order {}: orders-api reads it", order(saga)),
        Action::Expire { saga } => format!("expire-orders finds order {} overdue", order(saga)),
        Action::FinishProcessing { saga, intent, charged } => {
            let how = if charged { "charges the customer" } else { "declines" };
            format!("the provider finishes PaymentIntent {} of order {}: it {how}", intent + 1, order(saga))
        }
    }
}

/// Describes the next effect of an attempt.
fn describe_effect(
    protocol: &Protocol,
    state: &State,
    saga: usize,
    attempt: &Attempt,
    card: Option<Card>,
) -> String {
    match attempt.work {
        Work::Relay { published } if published == protocol.removes_before_publishing() => {
            "publishes the event".to_owned()
        }
        Work::Relay { .. } => "removes the row".to_owned(),
        Work::ReadAgain => "reads again, because its conditional write failed".to_owned(),
        Work::Reserve { read, .. } => {
            describe_write("writes the reservation", state.sagas[saga].reservation == read)
        }
        Work::Settle { read } => {
            describe_write("settles the reservation", state.sagas[saga].reservation == read)
        }
        Work::Pay { .. } => describe_payment_step(protocol, state, saga, attempt, card),
        Work::ReleasePaymentLease { .. } => "releases its lease".to_owned(),
        Work::Track { read } => describe_write(
            "applies the event to the order",
            state.sagas[saga].order.map(|row| row.version) == Some(read.version),
        ),
        Work::RequestCancellation { read } => describe_write(
            "writes the cancellation request and its outbox row",
            state.sagas[saga].order.map(|row| row.version) == Some(read.version),
        ),
        Work::AcquireClaim { .. } => "claims the email".to_owned(),
        Work::SendEmail { .. } => "sends the email".to_owned(),
        Work::CompleteClaim { .. } => "records that the email was sent".to_owned(),
        Work::ReleaseClaim { .. } => "releases its claim on the email".to_owned(),
        Work::ReadClaimAgain => "reads the claim, which another attempt has taken over".to_owned(),
        Work::Publish(event) => format!("publishes {} and acknowledges", event_type(event)),
    }
}

fn describe_write(what: &str, unchanged: bool) -> String {
    if unchanged { what.to_owned() } else { format!("{what}, overwriting a concurrent change") }
}

fn describe_payment_step(
    protocol: &Protocol,
    state: &State,
    saga: usize,
    attempt: &Attempt,
    card: Option<Card>,
) -> String {
    let number = |intent: &domain::PaymentIntentId| protocol.intent_number(intent) + 1;
    let query = match protocol.pending_payment_call(saga, attempt) {
        Some(Next::Write(write)) => {
            let row = protocol.payment_row(&write.payment);
            let overwrites =
                state.sagas[saga].payment.is_some_and(|before| before.version + 1 != row.version);
            let says = match row.status {
                crate::state::PaymentStatus::Succeeded { .. } => "succeeded",
                crate::state::PaymentStatus::Declined => "declined",
                crate::state::PaymentStatus::Voided(_) => "voided",
                crate::state::PaymentStatus::Charging { ending: Some(_), .. } => {
                    "charging, to be ended without a charge"
                }
                crate::state::PaymentStatus::Charging { intent: Some(_), .. } => {
                    "charging, with its PaymentIntent"
                }
                crate::state::PaymentStatus::Charging { .. } => "charging",
            };
            let over = if overwrites { ", overwriting a concurrent change" } else { "" };
            return format!("writes the payment: {says}{over}");
        }
        Some(Next::Ask(query)) => query,
        other => return other.map_or("ends", |next| next.name()).to_owned(),
    };
    match query.request {
        ProviderRequest::Create(_) if card == Some(Card::Unknown) => {
            "requests a PaymentIntent: the provider refuses the card".to_owned()
        }
        ProviderRequest::Create(_) => {
            format!("creates PaymentIntent {}", state.sagas[saga].intents.len() + 1)
        }
        ProviderRequest::Retrieve(intent) => format!("retrieves PaymentIntent {}", number(&intent)),
        ProviderRequest::Confirm { intent, .. } => {
            let how = match card {
                Some(Card::Succeeds) => "the customer is charged",
                Some(Card::Declines) => "it is declined",
                Some(Card::Processes) => "it is processing",
                Some(Card::Unknown) | None => "it was decided before",
            };
            format!("confirms PaymentIntent {}: {how}", number(&intent))
        }
        ProviderRequest::Cancel(_) if protocol.skips_pending_cancellation(attempt) => {
            "treats its PaymentIntent as cancelled".to_owned()
        }
        ProviderRequest::Cancel(intent) => format!("cancels PaymentIntent {}", number(&intent)),
    }
}

/// Describes the state after the actions, a line for each order and product.
pub fn describe_final_state(protocol: &Protocol, actions: &[Action]) -> Vec<String> {
    let mut state = protocol.initial_state();
    for action in actions {
        state = protocol.apply(&state, *action).unwrap_or(state);
    }
    let mut lines = Vec::new();
    for (number, saga) in state.sagas.iter().enumerate() {
        let reservation = match saga.reservation {
            None => "none",
            Some(ReservationStatus::Held) => "held",
            Some(ReservationStatus::Committed) => "committed",
            Some(ReservationStatus::Released) => "released",
            Some(ReservationStatus::Tombstone) => "released before it was held",
            Some(ReservationStatus::Rejected) => "rejected",
        };
        let charged = saga.intents.iter().filter(|intent| intent.status == Status::Succeeded).count();
        lines.push(format!(
            "order {}: captured {} times on {charged} PaymentIntents; reservation {reservation}; order {:?}; payment {:?}",
            order(number),
            saga.captures(),
            saga.order.and_then(|row| row.outcome),
            saga.payment.map(|row| row.status),
        ));
    }
    for (product, stock) in (1..).zip(state.stock) {
        lines.push(format!(
            "product {product}: {} available, {} held, {} sold",
            stock.available, stock.held, stock.sold
        ));
    }
    lines
}
