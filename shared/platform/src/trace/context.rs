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

/// The `traceparent` of a header of X-Ray, such as `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>). `None` if it has no
/// parent.
pub(crate) fn from_xray(header: &str) -> Option<String> {
    let field = |name: &str| {
        let fields = header.split(';').filter_map(|field| field.trim().split_once('='));
        fields.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let trace = field("Root")?.strip_prefix("1-")?.replace('-', "");
    let flags = if field("Sampled") == Some("1") { "01" } else { "00" };
    Some(format!("00-{trace}-{}-{flags}", field("Parent")?)).filter(|text| is_traceparent(text))
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
    fn the_header_of_x_ray_is_the_same_context() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let expected = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        assert_eq!(from_xray(header).as_deref(), Some(expected));
        let lineage = format!("{};Lineage=a87bd80c:1", header.replace("Sampled=1", "Sampled=0"));
        assert_eq!(from_xray(&lineage).unwrap(), expected.replace("-01", "-00"));
        for other in
            ["", "Root=1-5759e988-bd862e3fe1be46a994272793", "Root=2-1;Parent=2", "Parent=53995c3f42cd8ad8"]
        {
            assert_eq!(from_xray(other), None, "{other}");
        }
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
