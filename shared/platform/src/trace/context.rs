//! `traceparent` of W3C Trace Context.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

/// The `traceparent` of the current span; `None` if there is none.
pub fn traceparent() -> Option<String> {
    Context::map_current(|context| format(context.span().span_context()))
}

/// Whether `text` is a valid `traceparent` (W3C Trace Context §3.2).
pub fn is_traceparent(text: &str) -> bool {
    parse(text).is_some()
}

/// Parses `<version>-<32 hex>-<16 hex>-<2 hex>`. Later versions may append fields, `ff` is no version, and ids of zeros
/// only are invalid.
pub(super) fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let mut hex = |length| {
        let part: &str = parts.next()?;
        let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (part.len() == length && part.bytes().all(is_lower)).then_some(part)
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

pub(super) fn format(context: &SpanContext) -> Option<String> {
    let flags = context.trace_flags().to_u8();
    context.is_valid().then(|| format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_and_written() {
        for text in [VALID, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"] {
            let context = parse(text).unwrap();
            assert!(context.is_remote());
            assert_eq!(context.is_sampled(), text.ends_with('1'));
            assert_eq!(format(&context).unwrap(), text);
        }
        // Unknown flags and the fields of later versions are not propagated.
        for later in [format!("{}ff", &VALID[..53]), format!("01{}-more", &VALID[2..])] {
            assert_eq!(format(&parse(&later).unwrap()).unwrap(), VALID, "{later}");
        }
        assert_eq!(format(&SpanContext::empty_context()), None);
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID}-more"),
            &format!("ff{}", &VALID[2..]),
            &VALID.to_uppercase(),
            &VALID.replace("0af7651916cd43dd8448eb211c80319c", &zeros),
            &VALID.replace("b7ad6b7169203331", &zeros[..16]),
            &VALID.replace('b', "g"),
            &format!(" {VALID}"),
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
    }
}
