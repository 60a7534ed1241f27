//! How what happened to an order is shown: one line each, with the time since the order was placed.

use jiff::{SignedDuration, Timestamp};

use crate::logs::Handled;
use crate::mail::Mail;
use crate::ui::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, cut};

/// Column widths: the longest function is `settle-reservation`, the longest event
/// `order.cancellation_requested`.
const FUNCTION: usize = 18;
const TRIGGER: usize = 28;

/// Prints the head of the table.
pub(crate) fn print_head() {
    anstream::println!(
        "  {DIM}{:>9}  {:FUNCTION$}  {:TRIGGER$}  {:>3}  outcome{DIM:#}",
        "after",
        "function",
        "event or request",
        "try"
    );
}

/// Prints what a function did.
pub(crate) fn print_handled(handled: &Handled, placed_at: Timestamp) {
    let style = match (handled.outcome.as_str(), handled.dead_letter) {
        ("ok", _) => GREEN,
        ("retry", false) => YELLOW,
        _ => RED,
    };
    // "Try again" is not what happens after the last attempt.
    let gave_up = handled.dead_letter && handled.outcome == "retry";
    let label = if gave_up { "gave up" } else { handled.outcome.as_str() };
    let outcome = outcome(handled);
    anstream::println!(
        "  {DIM}{:>9}{DIM:#}  {CYAN}{:FUNCTION$}{CYAN:#}  {:TRIGGER$}  {:>3}  {style}{label}{style:#}{outcome}",
        since(placed_at, handled.at),
        handled.function,
        shorten(&handled.trigger),
        handled.attempt,
    );
}

/// Prints a mail that the customer got.
pub(crate) fn print_mail(mail: &Mail, placed_at: Timestamp) {
    anstream::println!(
        "  {DIM}{:>9}{DIM:#}  {BOLD}✉ {}{BOLD:#}  {DIM}to {}{DIM:#}",
        since(placed_at, mail.sent()),
        mail.subject,
        mail.to.join(", "),
    );
}

/// Prints what a mail says.
pub(crate) fn print_mail_text(mail: &Mail) {
    for line in mail.text.trim().lines() {
        anstream::println!("  {DIM}│ {line}{DIM:#}");
    }
}

/// What else there is to say of an outcome: what it led to, why it failed, what happens next.
fn outcome(handled: &Handled) -> String {
    let mut text = String::new();
    if !handled.published.is_empty() {
        text = format!("{text} → {}", handled.published.join(", "));
    }
    if let Some(reason) = &handled.reason {
        text = format!("{text}: {}", cut(reason, 90));
    }
    if handled.dead_letter {
        text.push_str(" → dead-letter queue");
    } else if let Some(wait) = handled.again_in_ms {
        text = format!("{text} (again in {}.{} s)", wait / 1000, wait % 1000 / 100);
    }
    text
}

/// `PUT /reservations/{order_id}/commit` → `PUT /reservations/…/commit`: the placeholders say nothing here.
fn shorten(trigger: &str) -> String {
    let segments: Vec<&str> =
        trigger.split('/').map(|segment| if segment.starts_with('{') { "…" } else { segment }).collect();
    cut(&segments.join("/"), TRIGGER)
}

/// `+1.25 s`; times before the first are possible, by the clocks of two machines.
fn since(start: Timestamp, at: Timestamp) -> String {
    let passed: SignedDuration = at.duration_since(start);
    format!("{:+.2} s", passed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            again_in_ms: Some(2150),
            dead_letter: false,
            duration_ms: Some(20),
        }
    }

    #[test]
    fn an_outcome_says_why_and_what_comes_next() {
        assert_eq!(outcome(&handled()), ": Stripe answered 503 (again in 2.1 s)");
        let buried = Handled { dead_letter: true, again_in_ms: None, ..handled() };
        assert_eq!(outcome(&buried), ": Stripe answered 503 → dead-letter queue");
        let published = vec!["payment.succeeded".to_owned()];
        let well = Handled { reason: None, again_in_ms: None, published, ..handled() };
        assert_eq!(outcome(&well), " → payment.succeeded");
    }

    #[test]
    fn placeholders_in_a_route_are_left_out() {
        assert_eq!(shorten("PUT /reservations/{order_id}/commit"), "PUT /reservations/…/commit");
        assert_eq!(shorten("order.created"), "order.created");
    }

    #[test]
    fn times_count_from_the_start() {
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(since(start, Timestamp::from_millisecond(1250).unwrap()), "+1.25 s");
        assert_eq!(since(start, Timestamp::from_millisecond(-10).unwrap()), "-0.01 s");
    }
}
