//! Which form of an invoice a client wants (RFC 9110 §12.5.1).

/// The forms that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A PDF.
    Pdf,
    /// A page.
    Page,
}

impl Form {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Page => "text/html",
        }
    }

    /// The one that `accept` likes best; the PDF where it likes both, or says nothing. `None` where it takes neither.
    pub fn wanted(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Some(Self::Pdf) };
        let (pdf, page) = (quality(accept, Self::Pdf), quality(accept, Self::Page));
        match (pdf, page) {
            (0, 0) => None,
            _ if page > pdf => Some(Self::Page),
            _ => Some(Self::Pdf),
        }
    }
}

/// How much `accept` likes a form, in thousandths: what the most specific range that fits says.
fn quality(accept: &str, form: Form) -> u16 {
    let wanted = form.media_type();
    let wanted_type = wanted.split_once('/').map_or("", |(first, _)| first);
    let fits = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let specificity = match name.split_once('/')? {
            _ if name == wanted => 2,
            (first, "*") if first == wanted_type => 1,
            ("*", "*") => 0,
            _ => return None,
        };
        let weight = parts.find_map(|part| {
            let (name, weight) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(weight.trim()))
        });
        Some((specificity, weight.unwrap_or(1000)))
    });
    fits.max_by_key(|(specificity, _)| *specificity).map_or(0, |(_, quality)| quality)
}

/// `0.85` in thousandths. What is no weight weighs nothing.
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
    fn the_best_one_is_taken() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, form) in [
            (None, Some(Form::Pdf)),
            (Some(""), Some(Form::Pdf)),
            (Some("*/*"), Some(Form::Pdf)),
            (Some("application/*"), Some(Form::Pdf)),
            (Some("Application/PDF"), Some(Form::Pdf)),
            (Some("text/html"), Some(Form::Page)),
            (Some("text/*;q=0.1"), Some(Form::Page)),
            (Some(browser), Some(Form::Page)),
            (Some("text/html;q=0.5, application/pdf"), Some(Form::Pdf)),
            (Some("application/pdf;q=0.3, */*;q=0.5"), Some(Form::Page)),
            (Some("text/html, application/pdf"), Some(Form::Pdf)),
            (Some("text/html;level=1;q=0.4, */*;q=0.2"), Some(Form::Page)),
            (Some("application/pdf;q=0"), None),
            (Some("application/pdf;q=0, text/html;q=0.001"), Some(Form::Page)),
            (Some("application/json"), None),
            (Some("nonsense"), None),
            (Some("application/pdf;q=x, text/html;q=-1"), None),
        ] {
            assert_eq!(Form::wanted(accept), form, "{accept:?}");
        }
    }
}
