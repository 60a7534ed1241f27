//! Tells what happened, for people.

use domain::payment::Step;

use crate::action::{Action, Fault};
use crate::drive::Protocol;
use crate::scope::Card;
use crate::state::{Attempt, Function, Held, Letter, News, State, Status, Work};

/// The event's name on the bus.
pub fn event(news: News) -> &'static str {
    match news {
        News::Created => "order.created",
        News::Wish(_) => "order.cancellation_requested",
        News::Confirmed => "reservation.confirmed",
        News::Rejected => "reservation.rejected",
        News::Committed => "reservation.committed",
        News::Released => "reservation.released",
        News::Succeeded => "payment.succeeded",
        News::Failed => "payment.failed",
        News::Voided(_) => "payment.voided",
    }
}

/// Orders are called A, B, …
fn order(case: usize) -> char {
    ('A'..='Z').nth(case).unwrap_or('?')
}

fn who(case: usize, letter: Letter) -> String {
    let (name, event, order) = (letter.to.name(), event(letter.news), order(case));
    match letter.to {
        Function::OrdersApi | Function::ExpireOrders => format!("{name} (order {order})"),
        _ => format!("{name} ({event}, order {order})"),
    }
}

fn attempt_of(case: usize, attempt: &Attempt) -> String {
    let late = if attempt.late { ", waking up late," } else { "" };
    format!("{}{late}", who(case, attempt.letter))
}

/// A counterexample as numbered lines.
pub fn story(protocol: &Protocol, actions: &[Action]) -> Vec<String> {
    let mut state = protocol.start();
    let mut lines = Vec::new();
    for (number, action) in (1..).zip(actions) {
        lines.push(format!("{number}. {}", tell(protocol, &state, *action)));
        if let Some(next) = protocol.after(&state, *action) {
            state = next;
        }
    }
    lines
}

/// What an action does to a state, in a sentence without its full stop.
fn tell(protocol: &Protocol, state: &State, action: Action) -> String {
    match action {
        Action::Place { case, torn: false } => format!("the client places order {}", order(case)),
        Action::Place { case, torn: true } => {
            format!("orders-api writes order {} and dies before it writes the outbox row", order(case))
        }
        Action::Relay { case, news } => {
            format!("relay-outbox takes up {} of order {}", event(news), order(case))
        }
        Action::Deliver { case, letter, overdue, twice } => {
            let late = if overdue { ", finds a lease that has ended" } else { "" };
            let again = if twice { "; the queue will deliver the message a second time" } else { "" };
            format!("{} starts and reads{late}{again}", who(case, letter))
        }
        Action::Go { case, attempt, fault, card } => {
            let attempt = &state.cases[case].attempts[attempt];
            let what = effect(protocol, state, case, attempt, card);
            let wrong = match fault {
                Fault::None => "",
                Fault::Crash => " — and dies",
                Fault::LostBefore => " — nobody answers, and it is not done",
                Fault::LostAfter => " — it is done, and the answer is lost",
                Fault::Repeat => " — the answer is lost, and the SDK's second try is refused",
            };
            format!("{} {what}{wrong}", attempt_of(case, attempt))
        }
        Action::Stall { case, attempt } => {
            let attempt = &state.cases[case].attempts[attempt];
            format!(
                "{} falls asleep: its lease ends, its message can be received again",
                attempt_of(case, attempt)
            )
        }
        Action::Bury { case, letter } => {
            format!("the message of {} was tried too often: a dead letter", who(case, letter))
        }
        Action::Redrive { case, letter } => format!("a person redrives the message of {}", who(case, letter)),
        Action::Cancel { case } => format!("the customer cancels order {}: orders-api reads it", order(case)),
        Action::Expire { case } => format!("expire-orders finds order {} late", order(case)),
        Action::Settle { case, intent, charged } => {
            let how = if charged { "charges the customer" } else { "declines" };
            format!("the provider ends with PaymentIntent {} of order {}: it {how}", intent + 1, order(case))
        }
    }
}

/// The next effect of an attempt.
fn effect(protocol: &Protocol, state: &State, case: usize, attempt: &Attempt, card: Option<Card>) -> String {
    match attempt.work {
        Work::Relay { published } if published == protocol.removes_first() => {
            "publishes the event".to_owned()
        }
        Work::Relay { .. } => "removes the row".to_owned(),
        Work::ReadAgain => "reads again, because its write was refused".to_owned(),
        Work::Reserve { read, .. } => {
            write_or_not("writes the reservation", state.cases[case].reservation == read)
        }
        Work::Settle { read } => {
            write_or_not("settles the reservation", state.cases[case].reservation == read)
        }
        Work::Pay { .. } => payment(protocol, state, case, attempt, card),
        Work::GiveUpPayment { .. } => "gives up its lease".to_owned(),
        Work::Track { read } => write_or_not(
            "has the order follow",
            state.cases[case].order.map(|row| row.version) == Some(read.version),
        ),
        Work::Ask { read } => write_or_not(
            "writes the wish to cancel and its outbox row",
            state.cases[case].order.map(|row| row.version) == Some(read.version),
        ),
        Work::Claim { .. } => "claims the mail".to_owned(),
        Work::Send { .. } => "sends the mail".to_owned(),
        Work::Note { .. } => "notes that the mail is sent".to_owned(),
        Work::GiveUpClaim { .. } => "gives up its claim on the mail".to_owned(),
        Work::Publish(news) => format!("publishes {} and acknowledges", event(news)),
    }
}

fn write_or_not(what: &str, unchanged: bool) -> String {
    if unchanged { what.to_owned() } else { format!("{what}, over what another has written since it read") }
}

fn payment(protocol: &Protocol, state: &State, case: usize, attempt: &Attempt, card: Option<Card>) -> String {
    let number = |intent: &domain::PaymentIntentId| protocol.intent_number(intent) + 1;
    match protocol.next_payment_step(case, attempt) {
        Some(Step::Write(written)) => {
            let row = protocol.row_of(&written);
            let taken = state.cases[case].payment.is_some_and(|before| before.version + 1 != row.version);
            let says = match row.charge {
                crate::state::Charge::Succeeded { .. } => "succeeded",
                crate::state::Charge::Declined => "declined",
                crate::state::Charge::Voided(_) => "voided",
                crate::state::Charge::Charging { ending: Some(_), .. } => {
                    "charging, not to be charged any more"
                }
                crate::state::Charge::Charging { intent: Some(_), .. } => "charging, with its PaymentIntent",
                crate::state::Charge::Charging { .. } => "charging",
            };
            let over = if taken { ", over what another has written since it read" } else { "" };
            format!("writes the payment: {says}{over}")
        }
        Some(Step::CreateIntent { .. }) if card == Some(Card::Unknown) => {
            "asks for a PaymentIntent: the provider refuses the card".to_owned()
        }
        Some(Step::CreateIntent { .. }) => {
            format!("makes PaymentIntent {}", state.cases[case].intents.len() + 1)
        }
        Some(Step::Retrieve(intent)) => format!("asks how PaymentIntent {} stands", number(&intent)),
        Some(Step::Confirm { intent, .. }) => {
            let how = match card {
                Some(Card::Succeeds) => "the customer is charged",
                Some(Card::Declines) => "it is declined",
                Some(Card::Processes) => "the provider is at it",
                Some(Card::Unknown) | None => "which was decided before",
            };
            format!("confirms PaymentIntent {}: {how}", number(&intent))
        }
        Some(Step::Cancel(intent)) => format!("cancels PaymentIntent {}", number(&intent)),
        _ => "takes its PaymentIntent for cancelled".to_owned(),
    }
}

/// The orders as they stand in the end, a line for each.
pub fn standing(protocol: &Protocol, actions: &[Action]) -> Vec<String> {
    let mut state = protocol.start();
    for action in actions {
        state = protocol.after(&state, *action).unwrap_or(state);
    }
    let mut lines = Vec::new();
    for (number, case) in state.cases.iter().enumerate() {
        let reservation = match case.reservation {
            None => "none",
            Some(Held::Held) => "held",
            Some(Held::Committed) => "committed",
            Some(Held::Released) => "released",
            Some(Held::Tombstone) => "released before it was held",
            Some(Held::Rejected) => "rejected",
        };
        let charged = case.intents.iter().filter(|intent| intent.status == Status::Succeeded).count();
        lines.push(format!(
            "order {}: captured {} times on {charged} PaymentIntents; reservation {reservation}; order {:?}; payment {:?}",
            order(number),
            case.captures(),
            case.order.and_then(|row| row.outcome),
            case.payment.map(|row| row.charge),
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
