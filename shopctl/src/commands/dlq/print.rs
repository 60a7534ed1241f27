//! Prints dead-letter messages.

use jiff::Timestamp;
use terminal::ui::{BOLD, CYAN, DIM, RED, YELLOW, truncate};

use crate::audit::Tables;
use crate::duration;
use crate::queues::{DeadLetterMessage, DeadLetterQueue, Destination, advice};

/// The width of the output, in columns.
pub(super) const WIDTH: usize = 80;

pub(super) fn message_count(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

pub(super) fn ago(at: Timestamp) -> String {
    format!("{} ago", duration::format(duration::now().duration_since(at)))
}

/// Prints the id, kind, age, order and reason of a message.
pub(super) fn print_line(message: &DeadLetterMessage) {
    let about =
        advice::order_of(message).map_or_else(|| "no order".to_owned(), |order| format!("order {order}"));
    let since = message.failed_at().map(ago).unwrap_or_default();
    anstream::println!("  {CYAN}{}{CYAN:#}  {YELLOW}{}{YELLOW:#} {since}", message.id, message.kind());
    anstream::println!("    {DIM}{about}{DIM:#}");
    anstream::println!("    {}", truncate(&message.reason(), WIDTH - 4));
}

/// Prints the destination of a redrive, and what the function would do.
pub(super) fn print_advice(
    tables: &Tables<'_>,
    queue: &DeadLetterQueue,
    target: &Destination,
    message: &DeadLetterMessage,
) {
    let target = (!message.is_stream_pointer()).then(|| target.to_string());
    print_effect(target.as_deref(), &advice::describe(tables, queue, message));
}

/// Prints what the function would do with a message, which is sent to `target` if it can be redriven.
pub(super) fn print_effect(target: Option<&str>, effect: &str) {
    let text = target.map_or_else(|| effect.to_owned(), |target| format!("to {target}: {effect}"));
    for (number, line) in wrap(&text, WIDTH - 6).iter().enumerate() {
        let sign = if number == 0 { "→" } else { " " };
        anstream::println!("    {BOLD}{sign}{BOLD:#} {line}");
    }
}

/// Wraps a text at word boundaries into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Prints why a message is in the queue.
pub fn print_reason(message: &DeadLetterMessage) {
    anstream::println!("  {BOLD}{}{BOLD:#}", message.id);
    for line in wrap(&message.reason(), WIDTH - 2) {
        anstream::println!("  {RED}{line}{RED:#}");
    }
    for (name, value) in message.attributes.iter().filter(|(name, _)| *name != "error") {
        anstream::println!("  {YELLOW}{name:>14}{YELLOW:#}  {value}");
    }
}

/// Prints the event in a message, or its body.
pub(super) fn print_body(message: &DeadLetterMessage) {
    let body = message.event().and_then(|event| serde_json::to_string_pretty(&event).ok());
    for line in body.as_deref().unwrap_or(&message.body).lines() {
        anstream::println!("  {DIM}│ {line}{DIM:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("aVeryLongWord b", 4), ["aVeryLongWord", "b"], "words are not broken");
        assert!(wrap("", 4).is_empty());
    }
}
