//! What clients may send as text, from the corpus and generated, and that text from before a rule stays readable.

use std::collections::BTreeMap;
use std::str::FromStr;

use domain::{
    AddressLine, CustomerId, DeliveryId, EmailAddress, Event, PersonName, ProductName, Sku, check_readable,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::sample::{cases, cause, details, order_id, time};

/// A file of the corpus.
#[derive(Deserialize)]
struct Corpus {
    accepted: Vec<String>,
    rejected: Vec<String>,
    /// Texts that are changed, with the result.
    #[serde(default)]
    trimmed: BTreeMap<String, String>,
}

impl Corpus {
    fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap()
    }

    fn check<T: FromStr<Err: std::fmt::Debug> + Into<String>>(&self) {
        let name = std::any::type_name::<T>();
        for text in &self.accepted {
            let parsed = text.parse::<T>().map(Into::<String>::into);
            assert!(parsed.as_ref().is_ok_and(|parsed| parsed == text), "{name} {text:?}: {parsed:?}");
        }
        for text in &self.rejected {
            assert!(text.parse::<T>().is_err(), "{name} {text:?}");
        }
        for (text, trimmed) in &self.trimmed {
            assert_eq!(&text.parse::<T>().unwrap().into(), trimmed, "{name} {text:?}");
        }
    }
}

#[test]
fn text_that_people_read_is_visible_and_has_no_stray_characters() {
    let corpus = Corpus::parse(include_str!("../corpus/text.json"));
    corpus.check::<PersonName>();
    corpus.check::<AddressLine>();
    corpus.check::<ProductName>();
}

#[test]
fn names_of_persons_have_no_web_addresses() {
    let corpus = Corpus::parse(include_str!("../corpus/names.json"));
    corpus.check::<PersonName>();
    for text in corpus.accepted.iter().chain(&corpus.rejected) {
        assert!(text.parse::<ProductName>().is_ok() && text.parse::<AddressLine>().is_ok(), "{text:?}");
    }
}

#[test]
fn email_addresses_are_validated() {
    Corpus::parse(include_str!("../corpus/emails.json")).check::<EmailAddress>();
}

#[test]
fn ids_can_be_used_in_paths() {
    let corpus = Corpus::parse(include_str!("../corpus/ids.json"));
    corpus.check::<Sku>();
    corpus.check::<CustomerId>();
    corpus.check::<DeliveryId>();
}

fn read<T: DeserializeOwned + Into<String>>(text: &str) -> Result<String, serde_json::Error> {
    serde_json::from_value::<T>(json!(text)).map(Into::into)
}

#[test]
fn stored_text_stays_readable() {
    for text in [" ", "\u{200b}", "\u{3164}", "a\u{202e}b", "http://evil.example", " Ada "] {
        assert_eq!(read::<PersonName>(text).unwrap(), text);
        assert_eq!(read::<AddressLine>(text).unwrap(), text);
        assert_eq!(read::<ProductName>(text).unwrap(), text);
    }
    for text in ["a..b@example.com", ".a@example.com", "a@ex_ample.com"] {
        assert_eq!(read::<EmailAddress>(text).unwrap(), text);
    }
    // EventBridge refuses these: the event of such an order has never been published.
    assert_eq!(read::<PersonName>("a\u{fffe}b\u{ffff}").unwrap(), "a\u{fffd}b\u{fffd}");
    assert!(read::<PersonName>("a\nb").is_err() && read::<PersonName>("").is_err());
}

#[test]
fn an_event_from_before_a_rule_stays_readable() {
    let order = details();
    let created = domain::Fact::OrderCreated(domain::fact::OrderCreated { order });
    let mut event = serde_json::to_value(Event::new(order_id(1), created, time(0), cause())).unwrap();
    let order = event.pointer_mut("/data/order").unwrap();
    order["customer"]["name"] = json!("\u{200b}");
    order["customer"]["email"] = json!("a..b@example.com");
    order["customer"]["id"] = json!("..");
    order["customer"]["address"] = json!({
        "recipient": " ", "street": "\u{3164}", "postal_code": "-", "city": "\u{2028}", "country": "DE",
    });
    order["lines"][0]["sku"] = json!(".");
    let read: Event = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), event);
}

/// Any text, with many of the characters that matter here.
fn texts() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        " \u{a0}\u{ad}\u{200b}\u{200c}\u{200d}\u{202e}\u{2028}\u{2066}\u{fe0f}\u{e0100}\u{e0067}\u{1f3f4}\u{1f469}\u{3164}\u{2800}\u{fffe}\u{6cc}\u{8fbb}"
            .chars()
            .collect::<Vec<_>>(),
    );
    let character = prop_oneof![2 => special, 2 => any::<char>(), 1 => prop::char::range('a', 'z')];
    prop::collection::vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn accepted_text_has_no_surrounding_spaces_and_is_accepted_again(text in texts()) {
        let Ok(read) = check_readable(&text, 100) else { return Ok(()) };
        prop_assert_eq!(read.trim(), read);
        prop_assert_eq!(check_readable(read, 100), Ok(read));
        let is_bidi_control = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let is_unpublishable = |c: char| c.is_control() || u32::from(c) & 0xfffe == 0xfffe;
        prop_assert!(!read.contains(|c| is_bidi_control(c) || is_unpublishable(c)), "{:?}", read);
    }

    #[test]
    fn whatever_is_accepted_can_be_read_when_it_is_stored(text in texts()) {
        if let Ok(name) = text.parse::<PersonName>() {
            prop_assert_eq!(read::<PersonName>(name.as_str()).unwrap(), name.as_str());
        }
    }

    #[test]
    fn no_text_breaks_the_check_of_a_link(text in "(www|http|:|/|[.]|a|Co|ü|ß|İ|田|-| |@){0,12}") {
        let _ = text.parse::<PersonName>();
    }
}
