//! Conditions of managed rules, compared with requests.
//!
//! AWS applies text transformations that it does not name. Here a pattern is compared with the value as it was sent and
//! with what URL decoding (once and twice), the entities of HTML and the escapes of JSON make of it, all in lower case: it
//! matches where one of them does, which is more than AWS matches.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use regex::Regex;

use crate::request::Request;

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The path, as it was sent.
    Path,
    /// All of the query.
    Query,
    /// The values in the query.
    QueryArguments,
    /// The body, as far as it is inspected.
    Body,
    /// The headers `Cookie`.
    Cookies,
    /// Names and values of all headers.
    Headers,
    /// One header.
    Header(&'static str),
    /// The method.
    Method,
}

/// What a rule looks for.
#[derive(Debug, Clone, Copy)]
pub enum Condition {
    /// A header is not there.
    HeaderMissing(&'static str),
    /// A part has more bytes than this.
    LargerThan(Part, usize),
    /// A part has something in it that one of these regular expressions matches, in lower case.
    MatchesAny(Part, &'static [&'static str]),
    /// The source is on the list of IP addresses that the rule is named after.
    IpListed,
}

/// The first 8 KB and 200 headers are inspected
/// (<https://docs.aws.amazon.com/waf/latest/developerguide/waf-oversize-request-components.html>).
const MAX_HEADER_BYTES: usize = 8 * 1024;
const MAX_HEADERS: usize = 200;

impl Condition {
    /// Whether a request meets it, of whose body `inspected` bytes are forwarded to AWS WAF. `name` is the rule's.
    ///
    /// # Errors
    /// When the request's body cannot be decoded, or a pattern is no regular expression.
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

/// A regular expression, compile_cached once.
///
/// # Errors
/// When it is none.
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

/// Percent escapes and `+` decoded.
fn url_decode(text: &str) -> String {
    // The parser wants pairs: what would end a name or a value is kept from it.
    let kept = text.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(kept.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// The escapes of JSON (`\u003c`, `\/`) and the entities of HTML that are numbers or stand for markup.
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
