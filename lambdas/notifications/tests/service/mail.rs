//! What the mails say.

use domain::Event;
use domain::payment::VoidReason;
use notifications::mail::{Mail, compose};

use crate::support::{created, details_of, failed, paid, paid_by, rejected, voided};

fn mail(event: &Event) -> Mail {
    compose(event, "Tea & Co").unwrap().unwrap()
}

#[test]
fn each_kind_as_text_and_html() {
    for event in [paid(), rejected(), failed(Some("insufficient_funds")), voided(VoidReason::CustomerRequest)]
    {
        let mail = mail(&event);
        assert_eq!(mail.to.as_str(), "ada@example.com");
        let name = mail.kind.name();
        insta::assert_snapshot!(format!("{name}.txt"), format!("Subject: {}\n\n{}", mail.subject, mail.text));
        insta::assert_snapshot!(format!("{name}.html"), mail.html);
    }
}

#[test]
fn a_mail_says_who_gave_the_order_up_and_why_the_card_was_declined() {
    for (event, said) in [
        (voided(VoidReason::Expired), "could not complete your order in time"),
        (voided(VoidReason::Provider), "The payment was stopped"),
        (failed(Some("expired_card")), "Your card has expired."),
        // What a thief should not learn.
        (failed(Some("stolen_card")), "Your bank declined the payment."),
        (failed(None), "Your bank declined the payment."),
    ] {
        let mail = mail(&event);
        assert!(mail.text.contains(said) && mail.html.contains(said), "{said}: {}", mail.text);
        assert!(mail.text.contains("You have not been charged."), "{}", mail.text);
        assert!(!mail.text.contains("stolen"), "{}", mail.text);
    }
}

#[test]
fn a_name_is_text_in_the_html_too() {
    let mail = mail(&paid_by(details_of("<script>alert(1)</script> & Ada")));
    assert!(mail.text.contains("Hello <script>alert(1)</script> & Ada,"));
    assert!(!mail.html.contains("<script>") && mail.html.contains("alert(1)"), "{}", mail.html);
    assert!(mail.subject.contains("Tea & Co"), "a subject is no HTML: {}", mail.subject);
}

#[test]
fn other_events_lead_to_no_mail() {
    assert!(compose(&created(), "Tea & Co").unwrap().is_none());
}
