//! The content of the emails.

use domain::{Event, VoidReason};
use notifications::mail::{Email, compose};

use crate::support::{created, details_of, failed, failed_with, paid, paid_by, rejected, voided};

fn email(event: &Event) -> Email {
    compose(event, "Tea & Co").unwrap().unwrap()
}

#[test]
fn each_kind_as_text_and_html() {
    for event in [paid(), rejected(), failed(Some("insufficient_funds")), voided(VoidReason::CustomerRequest)]
    {
        let email = email(&event);
        assert_eq!(email.to.as_str(), "ada@example.com");
        let name = email.kind.as_ref();
        insta::assert_snapshot!(
            format!("{name}.txt"),
            format!("Subject: {}\n\n{}", email.subject, email.text)
        );
        insta::assert_snapshot!(format!("{name}.html"), email.html);
    }
}

#[test]
fn an_email_explains_the_cancellation_or_the_decline() {
    for (event, sentence) in [
        (voided(VoidReason::Expired), "could not complete your order in time"),
        (voided(VoidReason::Provider), "The payment was cancelled"),
        (failed(Some("expired_card")), "Your card has expired."),
        // A thief must not learn that the card is reported stolen.
        (failed(Some("stolen_card")), "Your bank declined the payment."),
        (failed(None), "Your bank declined the payment."),
    ] {
        let email = email(&event);
        assert!(email.text.contains(sentence) && email.html.contains(sentence), "{sentence}: {}", email.text);
        assert!(email.text.contains("You have not been charged."), "{}", email.text);
        assert!(!email.text.contains("stolen"), "{}", email.text);
    }
}

#[test]
fn a_refusal_of_the_provider_is_not_blamed_on_the_bank() {
    for (code, sentence) in [
        ("amount_too_small", "less than our payment provider can charge"),
        ("amount_too_large", "more than our payment provider can charge"),
        ("currency_not_supported", "in this currency"),
        ("amount_not_supported", "in this currency"),
        ("invalid_request_error", "could not accept the payment"),
        ("something_new", "could not accept the payment"),
    ] {
        let email = email(&failed_with(code));
        assert!(email.text.contains(sentence) && email.html.contains(sentence), "{code}: {}", email.text);
        assert!(email.text.contains("You have not been charged."), "{code}: {}", email.text);
        assert!(
            !email.text.contains("bank") && !email.text.contains("another card"),
            "{code}: {}",
            email.text
        );
    }
    for code in ["card_declined", "resource_missing", "payment_method_unactivated"] {
        assert!(email(&failed_with(code)).text.contains("another card"), "{code}");
    }
}

#[test]
fn an_order_of_nothing_is_confirmed_without_a_payment() {
    let mut order = serde_json::to_value(details_of("Ada")).unwrap();
    for line in order["lines"].as_array_mut().unwrap() {
        line["unit_price"]["amount"] = 0.into();
    }
    order["total"]["amount"] = 0.into();
    let email = email(&paid_by(serde_json::from_value(order).unwrap()));
    assert!(email.text.contains("There is nothing to pay."), "{}", email.text);
    assert!(!email.text.contains("your payment"), "{}", email.text);
}

#[test]
fn the_customers_name_is_escaped_in_html() {
    let email = email(&paid_by(details_of("<script>alert(1)</script> & Ada")));
    assert!(email.text.contains("Hello <script>alert(1)</script> & Ada,"));
    assert!(!email.html.contains("<script>") && email.html.contains("alert(1)"), "{}", email.html);
    assert!(email.subject.contains("Tea & Co"), "the subject is not HTML: {}", email.subject);
}

#[test]
fn other_events_cause_no_email() {
    assert!(compose(&created(), "Tea & Co").unwrap().is_none());
}
