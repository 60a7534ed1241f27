//! The conditions of managed rules.
//!
//! AWS does not document the text transformations that it applies. This module matches a pattern against the
//! original value and against its decoded forms (URL decoding, once and twice, HTML entities and JSON
//! escapes), all in lower case. A match in any form counts, so this matches more than AWS does.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use regex::Regex;

use crate::request::Request;

/// A request component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The path as it was sent.
    Path,
    /// The whole query string.
    Query,
    /// The values in the query string.
    QueryArguments,
    /// The inspected part of the body.
    Body,
    /// The `Cookie` headers.
    Cookies,
    /// The names and values of all headers.
    Headers,
    /// The first header with this name.
    Header(&'static str),
    /// The HTTP method.
    Method,
}

/// The condition of a rule.
#[derive(Debug, Clone, Copy)]
pub enum Condition {
    /// The header is missing.
    HeaderMissing(&'static str),
    /// The component has more bytes than this.
    LargerThan(Part, usize),
    /// One of these regular expressions matches the component in lower case.
    MatchesAny(Part, &'static [&'static str]),
    /// The source address is on the IP list that the rule is named after.
    IpListed,
}

/// AWS WAF inspects the first 8 KB and the first 200 headers
/// (<https://docs.aws.amazon.com/waf/latest/developerguide/waf-oversize-request-components.html>).
const MAX_HEADER_BYTES: usize = 8 * 1024;
const MAX_HEADERS: usize = 200;

impl Condition {
    /// Returns whether a request matches the condition. `inspected` bytes of its body are forwarded to AWS
    /// WAF. `name` is the name of the rule.
    ///
    /// # Errors
    /// When the request's body cannot be decoded, or a pattern is not a valid regular expression.
    pub fn matches(&self, name: &str, request: &Request, inspected: usize) -> Result<bool> {
        Ok(match self {
            Self::HeaderMissing(header) => request.header(header).is_none(),
            Self::LargerThan(part, max_bytes) => {
                values(*part, request, inspected)?.iter().map(Vec::len).sum::<usize>() > *max_bytes
            }
            Self::MatchesAny(part, patterns) => {
                let pattern = compile_cached(&patterns.join("|"))?;
                values(*part, request, inspected)?.iter().any(|value| matches_any_form(value, &pattern))
            }
            Self::IpListed => request.listed.as_deref() == Some(name),
        })
    }
}

fn values(part: Part, request: &Request, inspected: usize) -> Result<Vec<Vec<u8>>> {
    let texts = |texts: Vec<&str>| texts.into_iter().map(|text| text.as_bytes().to_vec()).collect();
    Ok(match part {
        Part::Path => texts(vec![&request.path]),
        Part::Query => texts(vec![&request.query]),
        Part::QueryArguments => {
            let arguments = request.query.split('&');
            texts(arguments.map(|pair| pair.split_once('=').map_or("", |(_, value)| value)).collect())
        }
        Part::Body => {
            let mut body = request.body()?;
            body.truncate(inspected);
            vec![body]
        }
        Part::Cookies => {
            let cookies = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
            texts(cookies.map(|(_, value)| value.as_str()).collect())
        }
        Part::Headers => {
            let mut room = MAX_HEADER_BYTES;
            let mut all = Vec::new();
            for (name, value) in request.headers.iter().take(MAX_HEADERS) {
                let text = format!("{name}: {value}").into_bytes();
                let seen = text.len().min(room);
                room -= seen;
                all.push(text[..seen].to_vec());
            }
            all
        }
        Part::Header(name) => texts(request.header(name).into_iter().collect()),
        Part::Method => texts(vec![&request.method]),
    })
}

/// Compiles a regular expression once and caches it.
///
/// # Errors
/// When the pattern is invalid.
pub(crate) fn compile_cached(pattern: &str) -> Result<Regex> {
    static ALL: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(pattern) {
        return Ok(known.clone());
    }
    let new = Regex::new(pattern)?;
    all.insert(pattern.to_owned(), new.clone());
    Ok(new)
}

fn matches_any_form(value: &[u8], pattern: &Regex) -> bool {
    let sent = String::from_utf8_lossy(value).into_owned();
    let once = url_decode(&sent);
    let twice = url_decode(&once);
    let forms = [unescape(&sent), unescape(&once), unescape(&twice), sent, once, twice];
    forms.iter().any(|form| pattern.is_match(&form.to_lowercase()))
}

/// Decodes percent escapes and `+`.
fn url_decode(text: &str) -> String {
    // The parser expects pairs: escape the characters that separate them.
    let kept = text.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(kept.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// Decodes JSON escapes (`\u003c`, `\/`) and the HTML entities that are numeric or stand for markup
/// characters.
fn unescape(text: &str) -> String {
    static ESCAPE: OnceLock<Option<Regex>> = OnceLock::new();
    let escape = ESCAPE
        .get_or_init(|| Regex::new(r"\\u([0-9A-Fa-f]{4})|&#x([0-9A-Fa-f]{1,6});?|&#([0-9]{1,7});?").ok());
    let Some(escape) = escape else { return text.to_owned() };
    let decoded = escape.replace_all(text, |found: &regex::Captures<'_>| {
        let hexadecimal = found.get(1).or_else(|| found.get(2));
        let code = match hexadecimal {
            Some(digits) => u32::from_str_radix(digits.as_str(), 16).ok(),
            None => found.get(3).and_then(|digits| digits.as_str().parse().ok()),
        };
        code.and_then(char::from_u32).map_or_else(String::new, String::from)
    });
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&"), ("\\/", "/"), ("\\\\", "\\")];
    named.iter().fold(decoded.into_owned(), |text, (name, character)| text.replace(name, character))
}
