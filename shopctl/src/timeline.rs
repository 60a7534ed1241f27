//! The timeline of an order: what each function did, in the order of time.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use terminal::ui::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, truncate};

use crate::api::Order;
use crate::logs::Handled;
use crate::mail::Mail;
use crate::trace::Span;

/// Column widths. The longest function name is `settle-reservation`, the longest event type
/// `order.cancellation_requested`.
const FUNCTION_WIDTH: usize = 18;
const TRIGGER_WIDTH: usize = 28;

/// What happened to an order, in the form of `--json`.
#[derive(Debug, Serialize)]
pub struct History {
    /// The id of the order.
    pub order_id: String,
    /// Its status now; `None` if the order service does not have it.
    pub status: Option<String>,
    /// When the order service received it.
    pub placed_at: Option<Timestamp>,
    /// What the functions handled, the oldest first.
    pub entries: Vec<Handled>,
    /// The emails about it, the oldest first. They can be read on the local stack only.
    pub mails: Vec<Mail>,
    /// The spans of its traces, by their start. `None` unless they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans: Option<Vec<Span>>,
}

impl History {
    /// The history of the order with this id.
    pub fn new(order_id: &str, order: Option<&Order>, mut entries: Vec<Handled>, mails: Vec<Mail>) -> Self {
        entries.sort_by_key(|handled| handled.at);
        Self {
            order_id: order_id.to_owned(),
            status: order.map(|order| order.status.clone()),
            placed_at: order.map(|order| order.placed_at),
            entries,
            mails,
            spans: None,
        }
    }
}

/// The time in an order's id, which is a UUID of version 7. `None` for other ids.
pub fn placed_at(order_id: &str) -> Option<Timestamp> {
    let id: uuid::Uuid = order_id.parse().ok()?;
    let (seconds, nanoseconds) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

/// Prints the column headings.
pub fn print_header() {
    anstream::println!(
        "  {DIM}{:>9}  {:FUNCTION_WIDTH$}  {:TRIGGER_WIDTH$}  {:>3}  outcome{DIM:#}",
        "time",
        "function",
        "event or request",
        "try"
    );
}

/// Prints what a function handled.
pub fn print_handled(handled: &Handled, placed_at: Timestamp) {
    let style = match (handled.outcome.as_str(), handled.dead_letter) {
        ("ok", _) => GREEN,
        ("retry", false) => YELLOW,
        _ => RED,
    };
    // After the last attempt, the outcome `retry` does not lead to another one.
    let gave_up = handled.dead_letter && handled.outcome == "retry";
    let label = if gave_up { "gave up" } else { handled.outcome.as_str() };
    let outcome = outcome(handled);
    anstream::println!(
        "  {DIM}{:>9}{DIM:#}  {CYAN}{:FUNCTION_WIDTH$}{CYAN:#}  {:TRIGGER_WIDTH$}  {:>3}  {style}{label}{style:#}{outcome}",
        since(placed_at, handled.at),
        handled.function,
        shorten(&handled.trigger),
        handled.attempt,
    );
}

/// Prints the subject and recipient of an email.
pub fn print_mail(mail: &Mail, placed_at: Timestamp) {
    anstream::println!(
        "  {DIM}{:>9}{DIM:#}  {BOLD}✉ {}{BOLD:#}  {DIM}to {}{DIM:#}",
        since(placed_at, mail.sent()),
        mail.subject,
        mail.to.join(", "),
    );
}

/// Prints the text of an email.
pub fn print_mail_text(mail: &Mail) {
    for line in mail.text.trim().lines() {
        anstream::println!("  {DIM}│ {line}{DIM:#}");
    }
}

/// The details of an outcome: the events published, the reason of a failure, the next step.
fn outcome(handled: &Handled) -> String {
    let mut text = String::new();
    if !handled.published.is_empty() {
        text = format!("{text} → {}", handled.published.join(", "));
    }
    if let Some(reason) = &handled.reason {
        text = format!("{text}: {}", truncate(reason, 90));
    }
    if handled.dead_letter {
        text.push_str(" → dead-letter queue");
    } else if let Some(wait) = handled.retry_in_ms {
        text = format!("{text} (retry in {}.{} s)", wait / 1000, wait % 1000 / 100);
    }
    text
}

/// `PUT /reservations/{order_id}/commit` → `PUT /reservations/…/commit`: the placeholders add no information.
fn shorten(trigger: &str) -> String {
    let segments: Vec<&str> =
        trigger.split('/').map(|segment| if segment.starts_with('{') { "…" } else { segment }).collect();
    truncate(&segments.join("/"), TRIGGER_WIDTH)
}

/// Formats the time since `start`, such as `+1.25 s`. It may be negative, because clocks differ between
/// machines.
fn since(start: Timestamp, at: Timestamp) -> String {
    let elapsed: SignedDuration = at.duration_since(start);
    format!("{:+.2} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_version_7_contains_its_time() {
        let at = placed_at("017f22e2-79b0-7cc3-98c4-dc0c0c07398f").unwrap();
        assert_eq!(at.to_string(), "2022-02-22T19:22:22Z");
        assert_eq!(placed_at("b2c7e8f0-0000-4000-8000-000000000001"), None);
    }

    fn handled() -> Handled {
        Handled {
            id: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            function: "process-payment".to_owned(),
            trigger: "reservation.confirmed".to_owned(),
            attempt: 2,
            outcome: "retry".to_owned(),
            reason: Some("Stripe answered 503".to_owned()),
            published: Vec::new(),
            retry_in_ms: Some(2150),
            dead_letter: false,
            duration_ms: Some(20),
        }
    }

    #[test]
    fn an_outcome_includes_the_reason_and_the_next_step() {
        assert_eq!(outcome(&handled()), ": Stripe answered 503 (retry in 2.1 s)");
        let dead = Handled { dead_letter: true, retry_in_ms: None, ..handled() };
        assert_eq!(outcome(&dead), ": Stripe answered 503 → dead-letter queue");
        let published = vec!["payment.succeeded".to_owned()];
        let succeeded = Handled { reason: None, retry_in_ms: None, published, ..handled() };
        assert_eq!(outcome(&succeeded), " → payment.succeeded");
    }

    #[test]
    fn placeholders_in_a_route_are_shortened() {
        assert_eq!(shorten("PUT /reservations/{order_id}/commit"), "PUT /reservations/…/commit");
        assert_eq!(shorten("order.created"), "order.created");
    }

    #[test]
    fn times_are_relative_to_the_start() {
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(since(start, Timestamp::from_millisecond(1250).unwrap()), "+1.25 s");
        assert_eq!(since(start, Timestamp::from_millisecond(-10).unwrap()), "-0.01 s");
    }
}
