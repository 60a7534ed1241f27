//! The provider's reports: whoever comes first, they or `process-payment`, the record ends the same.

use domain::event::ReportedStatus::{self, Cancelled, Failed, Processing, Succeeded};
use domain::payment::{Payment, PaymentState};
use jiff::SignedDuration;
use payments::arbiter::LEASE;
use platform::{Clock, EventHandler, Failure};

use crate::arbiter::lose_the_confirmation;
use crate::support::Service;

/// How a record ended, but for when.
fn end(record: Option<Payment>) -> String {
    match record.unwrap().state {
        PaymentState::Succeeded { intent, .. } => format!("succeeded with {intent}"),
        PaymentState::Declined { reason, .. } => format!("declined: {}", reason.code),
        PaymentState::Voided { reason, .. } => format!("voided: {}", reason.name()),
        PaymentState::Charging { .. } => "charging".to_owned(),
    }
}

#[tokio::test]
async fn the_report_first_and_process_payment_later() {
    // It crashed after the confirmation: the customer is charged, and nobody here knows.
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, true).await;
    let by_report = service.report("pi_0", Succeeded).await.unwrap().expect("the outcome");
    assert_eq!(by_report.fact.name(), "payment.succeeded");
    assert_eq!(service.provider.calls(), ["create", "confirm", "retrieve"], "asked, and not believed");
    let record = service.record();
    assert_eq!(service.charge().await.unwrap(), by_report, "the same event, with the same id");
    assert_eq!((service.record(), service.captures()), (record.clone(), 1));
    assert_eq!(end(record), "succeeded with pi_0");
}

#[tokio::test]
async fn process_payment_first_and_the_report_later() {
    for (method, status, ended) in [
        ("pm_card_visa", Succeeded, "succeeded with pi_0"),
        ("pm_declined", Failed, "declined: card_declined"),
        ("pm_declined", Cancelled, "declined: card_declined"),
    ] {
        let service = Service::new(method);
        service.charge().await.unwrap();
        let (record, calls) = (service.record(), service.provider.calls().len());
        for later in [SignedDuration::ZERO, SignedDuration::from_hours(24 * 30)] {
            service.clock.advance(later);
            assert_eq!(service.report("pi_0", status).await.unwrap(), None, "told of already");
        }
        assert_eq!((service.record(), service.provider.calls().len()), (record.clone(), calls), "{method}");
        assert_eq!(end(record), ended);
    }
}

#[tokio::test]
async fn either_order_ends_the_same_whatever_the_report_says() {
    for method in ["pm_card_visa", "pm_declined"] {
        for after in [true, false] {
            let mut ends = Vec::new();
            for status in [None, Some(Processing), Some(Succeeded), Some(Failed), Some(Cancelled)] {
                let service = Service::new(method);
                lose_the_confirmation(&service, after).await;
                if let Some(status) = status {
                    service.report("pi_0", status).await.unwrap();
                }
                let told = service.charge().await.unwrap();
                assert_eq!(told.cause.causation_id, None, "the cause in the record, whoever finished it");
                ends.push((end(service.record()), told.id, service.captures()));
            }
            assert!(ends.iter().all(|end| *end == ends[0]), "{method}, {after}: {ends:?}");
        }
    }
}

#[tokio::test]
async fn a_report_waits_for_whoever_is_at_it() {
    let service = Service::new("pm_slow");
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))), "it is being processed");
    // Processed, and told so; the report waits no longer than the record's lease.
    service.provider.process();
    assert_eq!(service.report("pi_0", Succeeded).await.unwrap().unwrap().fact.name(), "payment.succeeded");

    let service = Service::new("pm_card_visa");
    let start = service.clock.now();
    lose_the_confirmation(&service, true).await;
    service.clock.advance(-LEASE);
    let Err(Failure::Leased { until }) = service.report("pi_0", Succeeded).await else {
        panic!("it is leased")
    };
    assert_eq!(until, start + LEASE);
}

#[tokio::test]
async fn a_report_is_no_order_to_charge() {
    // No record: whatever it was made for is not in it, and nothing is charged.
    let service = Service::new("pm_card_visa");
    assert_eq!(service.report("pi_0", Succeeded).await.unwrap(), None);
    assert_eq!((service.record(), service.provider.calls()), (None, vec![]));

    // Another PaymentIntent: one whose making was never heard of, and that is never confirmed.
    lose_the_confirmation(&service, false).await;
    let record = service.record();
    assert_eq!(service.report("pi_7", Cancelled).await.unwrap(), None);
    assert_eq!((service.record(), service.provider.calls()), (record, vec!["create"]));

    // Voided before anything was charged.
    let service = Service::new("pm_card_visa");
    service.void().await.unwrap();
    assert_eq!(service.report("pi_0", Cancelled).await.unwrap(), None);
    assert_eq!(service.provider.calls(), [""; 0]);
}

#[tokio::test]
async fn what_is_being_given_up_stays_so() {
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    service.provider.lost_requests.fail_next(1);
    assert!(matches!(service.void().await, Err(Failure::Retry(_))), "the wish is written, and no more");
    let told = service.report("pi_0", ReportedStatus::Processing).await.unwrap().unwrap();
    assert_eq!(told.fact.name(), "payment.voided");
    assert_eq!((service.captures(), service.void().await.unwrap()), (0, told));
}

#[tokio::test]
async fn somebody_who_cancels_at_the_provider_ends_the_order() {
    use payments::provider::Provider;
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    service.provider.cancel(&"pi_0".parse().unwrap()).await.unwrap();
    service.report("pi_0", Cancelled).await.unwrap().unwrap();
    assert_eq!(end(service.record()), "voided: provider");
}

#[tokio::test]
async fn void_payment_does_not_hear_of_reports() {
    let service = Service::new("pm_card_visa");
    let report = service.reported("pi_0", Succeeded);
    assert!(matches!(service.void_payment().handle(&report).await, Err(Failure::Poison(_))));
}
