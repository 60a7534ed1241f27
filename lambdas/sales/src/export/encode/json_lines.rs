//! JSON Lines (<https://jsonlines.org>): one order per line, with the notation of the API. Readers that split at
//! any line break of Unicode find the same lines.

use std::io;

use domain::{Lines, Money};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::ledger::sale::Sale;

#[derive(Serialize)]
struct Order<'a> {
    order_id: String,
    placed_at: Timestamp,
    status: &'static str,
    customer: Customer<'a>,
    lines: &'a Lines,
    total: Money,
    paid_at: Option<Timestamp>,
    refunded: Total,
}

#[derive(Serialize)]
struct Customer<'a> {
    id: &'a str,
    name: &'a str,
    email: &'a str,
}

/// Money with an amount that may exceed the maximum of [`Money`].
#[derive(Serialize)]
struct Total {
    amount: u64,
    currency: &'static str,
}

pub(super) fn push(out: &mut Vec<u8>, sale: &Sale) -> anyhow::Result<()> {
    let placed = &sale.order;
    let total = placed.lines.total();
    let order = Order {
        order_id: sale.order_id.to_string(),
        placed_at: placed.placed_at,
        status: sale.status().name(),
        customer: Customer {
            id: placed.customer_id.as_str(),
            name: placed.customer_name.as_str(),
            email: placed.customer_email.as_str(),
        },
        lines: &placed.lines,
        total,
        paid_at: sale.paid.as_ref().map(|paid| paid.at),
        refunded: Total { amount: sale.refunded(), currency: total.currency.code() },
    };
    order.serialize(&mut Serializer::with_formatter(&mut *out, OneLine))?;
    out.push(b'\n');
    Ok(())
}

/// Escapes the line breaks that JSON allows in strings: U+0085, U+2028 and U+2029 (Unicode Standard, 5.8). It
/// requires the escaping of those below U+0020 anyway (RFC 8259, 7).
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_break = |c: char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
        for part in fragment.split_inclusive(is_break) {
            let text = part.trim_end_matches(is_break);
            writer.write_all(text.as_bytes())?;
            if let Some(c) = part.chars().last().filter(|c| is_break(*c)) {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> String {
        let mut out = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut out, OneLine)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn line_breaks_are_escaped() {
        assert_eq!(
            line("a\u{2028}b\u{2029}\u{85}\u{b}\u{c}\r\n\u{1e}ü\""),
            r#""a\u2028b\u2029\u0085\u000b\f\r\n\u001eü\"""#
        );
    }

    proptest! {
        /// Any text is on one line, by any definition, and a reader gets it back.
        #[test]
        fn text_is_on_one_line(text in prop_oneof!["(?s).{0,60}", "[a\"\\\\\u{85}\u{2028}\u{2029}\u{b}\u{1c}]{0,12}"]) {
            let line = line(&text);
            let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
            prop_assert!(!line.contains(breaks), "{line:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
