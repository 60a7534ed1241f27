//! Content negotiation for invoices (RFC 9110 §12.5.1).

/// The available formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DocumentFormat {
    Pdf,
    Html,
}

impl DocumentFormat {
    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Html => "text/html",
        }
    }

    /// Returns the format that the `Accept` header prefers, or the PDF if there is no preference. `None` if
    /// neither is acceptable.
    pub fn negotiate(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Some(Self::Pdf) };
        let (pdf, html) = (quality(accept, Self::Pdf), quality(accept, Self::Html));
        match (pdf, html) {
            (0, 0) => None,
            _ if html > pdf => Some(Self::Html),
            _ => Some(Self::Pdf),
        }
    }
}

/// Returns the quality value of a format in thousandths, as given by the most specific media range that
/// matches it.
fn quality(accept: &str, format: DocumentFormat) -> u16 {
    let media_type = format.media_type();
    let main_type = media_type.split_once('/').map_or("", |(first, _)| first);
    let matching = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let specificity = match name.split_once('/')? {
            _ if name == media_type => 2,
            (first, "*") if first == main_type => 1,
            ("*", "*") => 0,
            _ => return None,
        };
        let weight = parts.find_map(|part| {
            let (name, weight) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(weight.trim()))
        });
        Some((specificity, weight.unwrap_or(1000)))
    });
    matching.max_by_key(|(specificity, _)| *specificity).map_or(0, |(_, quality)| quality)
}

/// Parses a quality value such as `0.85` as thousandths. An invalid value counts as 0.
fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, digits) {
        ("1", _) => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_format_is_chosen() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, format) in [
            (None, Some(DocumentFormat::Pdf)),
            (Some(""), Some(DocumentFormat::Pdf)),
            (Some("*/*"), Some(DocumentFormat::Pdf)),
            (Some("application/*"), Some(DocumentFormat::Pdf)),
            (Some("Application/PDF"), Some(DocumentFormat::Pdf)),
            (Some("text/html"), Some(DocumentFormat::Html)),
            (Some("text/*;q=0.1"), Some(DocumentFormat::Html)),
            (Some(browser), Some(DocumentFormat::Html)),
            (Some("text/html;q=0.5, application/pdf"), Some(DocumentFormat::Pdf)),
            (Some("application/pdf;q=0.3, */*;q=0.5"), Some(DocumentFormat::Html)),
            (Some("text/html, application/pdf"), Some(DocumentFormat::Pdf)),
            (Some("text/html;level=1;q=0.4, */*;q=0.2"), Some(DocumentFormat::Html)),
            (Some("application/pdf;q=0"), None),
            (Some("application/pdf;q=0, text/html;q=0.001"), Some(DocumentFormat::Html)),
            (Some("application/json"), None),
            (Some("nonsense"), None),
            (Some("application/pdf;q=x, text/html;q=-1"), None),
        ] {
            assert_eq!(DocumentFormat::negotiate(accept), format, "{accept:?}");
        }
    }
}
