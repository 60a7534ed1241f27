//! The content of the emails.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Event, ProductName, ShortageKind, Sku, VoidReason};
use notifications::mail::{Email, compose};
use proptest::prelude::*;

use crate::support::{
    created, details_in, details_of, failed, order, outcomes, paid, paid_by, rejected, shortages, voided,
};

const LANGUAGES: [&str; 4] = ["en", "de", "fr", "ja"];

fn names(names: &[(&str, &str)]) -> BTreeMap<Sku, ProductName> {
    names.iter().map(|(sku, name)| (sku.parse().unwrap(), name.parse().unwrap())).collect()
}

/// The email about an event. The tea has a name; that of the cup is unknown.
fn email(event: &Event) -> Email {
    compose(event, "Tea & Co", &names(&[("TEA-001", "Darjeeling First Flush")])).unwrap().unwrap()
}

/// What an email says between the salutation and the order.
fn message(email: &Email) -> Vec<&str> {
    let blocks: Vec<&str> = email.text.trim().split("\n\n").collect();
    blocks[2..blocks.len() - 4].to_vec()
}

#[test]
fn each_email_in_each_language() {
    for language in LANGUAGES {
        let mut all = String::new();
        let mut kinds = BTreeSet::new();
        for (name, event) in outcomes(Some(language)) {
            let email = email(&event);
            assert_eq!(email.to.as_str(), "ada@example.com");
            if let Some(folder) = std::env::var_os("MAILS") {
                let file = format!("{}.{language}.html", name.replace([' ', ','], "_"));
                std::fs::write(std::path::Path::new(&folder).join(file), &email.html).unwrap();
            }
            let text = if kinds.insert(email.kind.as_ref().to_owned()) {
                format!("Subject: {}\n\n{}", email.subject, email.text.trim())
            } else {
                message(&email).join("\n\n")
            };
            all.push_str(&format!("=== {name}\n\n{text}\n\n"));
        }
        insta::assert_snapshot!(format!("emails.{language}"), all);
    }
}

#[test]
fn each_kind_as_html() {
    let details = || details_in(None);
    for event in [
        paid(),
        rejected(details(), &shortages()),
        failed(details(), "card_declined", Some("insufficient_funds")),
        voided(details(), VoidReason::CustomerRequest),
    ] {
        let email = email(&event);
        insta::assert_snapshot!(format!("{}.html", email.kind.as_ref()), email.html);
    }
}

#[test]
fn html_and_text_say_the_same_in_the_same_language() {
    for language in LANGUAGES {
        for (name, event) in outcomes(Some(language)) {
            let email = email(&event);
            let html = email.html.replace("<bdi>", "\u{2068}").replace("</bdi>", "\u{2069}");
            let lines: Vec<&str> = email.text.lines().collect();
            let title = format!("<title>{}</title>", lines[0]);
            assert!(html.contains(&title) && html.contains(lines[2]), "{language}, {name}: {html}");
            for paragraph in message(&email) {
                assert!(html.contains(&format!(">{paragraph}</p>")), "{language}, {name}: {paragraph}");
            }
            let attributes = format!("lang=\"{language}\" dir=\"ltr\"");
            assert_eq!(html.matches(&attributes).count(), 2, "{language}, {name}: {html}");
        }
    }
}

#[test]
fn no_sentence_is_the_same_in_two_languages() {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for language in LANGUAGES {
        for (_, event) in outcomes(Some(language)) {
            let email = email(&event);
            let sentences = message(&email).into_iter().chain([email.subject.as_str()]);
            for sentence in sentences {
                let other = seen.insert(sentence.to_owned(), language);
                assert!(other.is_none_or(|other| other == language), "{language} and {other:?}: {sentence}");
            }
        }
    }
}

#[test]
fn other_languages_are_answered_in_english() {
    for language in [None, Some("xx"), Some("ar")] {
        let email = email(&paid_by(details_in(language)));
        assert!(email.subject.starts_with("Your order is confirmed"), "{}", email.subject);
        assert!(email.html.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"), "{}", email.html);
    }
}

#[test]
fn an_email_explains_the_cancellation_or_the_decline() {
    let details = || details_in(None);
    let declined = |code| failed(details(), "card_declined", code);
    for (event, sentence) in [
        (voided(details(), VoidReason::Expired), "could not complete your order in time"),
        (voided(details(), VoidReason::Provider), "The payment was cancelled"),
        (declined(Some("expired_card")), "Your card has expired."),
        // A thief must not learn that the card is reported stolen.
        (declined(Some("stolen_card")), "Your bank declined the payment."),
        (declined(None), "Your bank declined the payment."),
        // The bank was never asked.
        (failed(details(), "invalid_request_error", None), "The payment could not be processed."),
        (failed(details(), "amount_too_small", None), "too small to be charged"),
    ] {
        let email = email(&event);
        assert!(email.text.contains(sentence) && email.html.contains(sentence), "{sentence}: {}", email.text);
        assert!(email.text.contains("You have not been charged."), "{}", email.text);
        assert!(!email.text.contains("stolen"), "{}", email.text);
    }
}

#[test]
fn numbers_have_the_plural_forms_and_the_format_of_the_language() {
    let total = |language, quantity| {
        let email = email(&paid_by(order(Some(language), &[("TEA-001", quantity, 100)])));
        email.text.lines().rev().nth(2).unwrap().trim().to_owned()
    };
    assert_eq!(total("en", 1), "Total (1 item): €1.00");
    assert_eq!(total("en", 2), "Total (2 items): €2.00");
    assert_eq!(total("de", 1), "Gesamt (1 Artikel): 1,00\u{a0}€");
    assert_eq!(total("fr", 1), "Total (1 article)\u{a0}: 1,00\u{a0}€");
    assert_eq!(total("fr", 2), "Total (2 articles)\u{a0}: 2,00\u{a0}€");
    assert_eq!(total("ja", 1), "合計（1点）：€1.00");
    let many: Vec<String> = (0..50).map(|number| format!("TEA-{number}")).collect();
    let many: Vec<(&str, u32, u32)> = many.iter().map(|sku| (sku.as_str(), 999, 100)).collect();
    let email_of_many = |language| email(&paid_by(order(Some(language), &many))).text;
    assert!(email_of_many("en").contains("Total (49,950 items): €49,950.00"));
    assert!(email_of_many("de").contains("Gesamt (49.950 Artikel): 49.950,00\u{a0}€"));
    assert!(email_of_many("fr").contains("(49\u{202f}950 articles)\u{a0}: 49\u{202f}950,00\u{a0}€"));

    let left = |language, available| {
        let shortage = ShortageKind::OutOfStock { available };
        let email = email(&rejected(details_in(Some(language)), &[shortage]));
        message(&email)[1].replace("\u{2068}Darjeeling First Flush\u{2069}", "X")
    };
    assert_eq!(left("fr", 0), "X\u{a0}: en rupture de stock.");
    assert_eq!(left("fr", 1), "X\u{a0}: il ne reste qu’un exemplaire.");
    assert_eq!(left("fr", 2), "X\u{a0}: il ne reste que 2 exemplaires.");
    assert_eq!(left("fr", 2_000_000), "X\u{a0}: il ne reste que 2\u{202f}000\u{202f}000 d’exemplaires.");
    assert_eq!(left("en", 1), "X: only 1 left.");
    assert_eq!(left("de", 1000), "X: nur noch 1.000 Stück verfügbar.");
    assert_eq!(left("ja", 1), "Xは、在庫が残り1点のみです。");
}

#[test]
fn a_product_without_a_name_is_shown_with_its_sku() {
    let email = compose(&paid(), "Tea & Co", &BTreeMap::new()).unwrap().unwrap();
    assert!(email.text.contains("2 × \u{2068}TEA-001\u{2069} at €12.50"), "{}", email.text);
    assert!(email.html.contains("<bdi>TEA-001</bdi>"), "{}", email.html);
}

#[test]
fn names_from_right_to_left_are_isolated() {
    let mut details = details_in(Some("de"));
    details.customer.name = "شهرزاد".parse().unwrap();
    let event = rejected(details, &[ShortageKind::OutOfStock { available: 3 }]);
    let names = names(&[("TEA-001", "תה 12 (ירוק)")]);
    let email = compose(&event, "בית התה", &names).unwrap().unwrap();
    for line in [
        "Guten Tag \u{2068}شهرزاد\u{2069}!",
        "\u{2068}תה 12 (ירוק)\u{2069}: nur noch 3 Stück verfügbar.",
        "  2 × \u{2068}תה 12 (ירוק)\u{2069} à 12,50\u{a0}€",
        "\u{2068}בית התה\u{2069}",
    ] {
        assert!(email.text.lines().any(|it| it == line), "{line}: {}", email.text);
    }
    for part in [
        ">Guten Tag <bdi>شهرزاد</bdi>!</p>",
        "><bdi>תה 12 (ירוק)</bdi>: nur noch 3 Stück verfügbar.</p>",
        "><bdi>תה 12 (ירוק)</bdi></td>",
    ] {
        assert!(email.html.contains(part), "{part}: {}", email.html);
    }
}

#[test]
fn a_refusal_of_the_provider_is_not_blamed_on_the_bank() {
    let text = |code| email(&failed(details_in(None), code, None)).text;
    for code in
        ["amount_too_small", "amount_too_large", "currency_not_supported", "amount_not_supported", "new"]
    {
        let text = text(code);
        assert!(text.contains("You have not been charged.") && !text.contains("bank"), "{code}: {text}");
    }
    for code in ["card_declined", "resource_missing", "payment_method_unactivated"] {
        assert!(text(code).contains("another card"), "{code}");
    }
}

#[test]
fn the_customers_name_is_escaped_in_html() {
    let email = email(&paid_by(details_of("<script>alert(1)</script> & Ada")));
    assert!(email.text.contains("Hello \u{2068}<script>alert(1)</script> & Ada\u{2069},"), "{}", email.text);
    assert!(!email.html.contains("<script>") && email.html.contains("alert(1)"), "{}", email.html);
    assert!(email.subject.contains("Tea & Co"), "the subject is not HTML: {}", email.subject);
}

proptest! {
    /// Whatever names the domain accepts, they neither add a line, nor leave their isolation.
    #[test]
    fn no_name_changes_what_is_around_it(
        name in "[\\PC\u{2028}-\u{202e}\u{2066}-\u{2069}]{1,100}",
        product in "[\\PC\u{2028}-\u{202e}\u{2066}-\u{2069}]{1,200}",
    ) {
        let mut details = details_in(None);
        let (Ok(name), Ok(product)) = (name.parse(), product.parse()) else { return Ok(()) };
        details.customer.name = name;
        let names = BTreeMap::from([("TEA-001".parse().unwrap(), product)]);
        let email = compose(&paid_by(details), "Tea & Co", &names).unwrap().unwrap();
        let usual = self::email(&paid());
        prop_assert_eq!(email.text.lines().count(), usual.text.lines().count());
        let directions = |text: &str| -> String {
            text.chars().filter(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')).collect()
        };
        prop_assert_eq!(directions(&email.text), directions(&usual.text));
        prop_assert_eq!(directions(&email.html), "");
        prop_assert_eq!(email.html.matches('<').count(), usual.html.matches('<').count());
    }
}

#[test]
fn other_events_cause_no_email() {
    assert!(compose(&created(), "Tea & Co", &BTreeMap::new()).unwrap().is_none());
}
