//! Reports of the provider: the final record is the same whether they or `process-payment` come first.

use domain::fact::ReportedStatus::{self, Cancelled, Failed, Processing, Succeeded};
use domain::payment::{Payment, PaymentState};
use jiff::SignedDuration;
use payments::finalization::LEASE_DURATION;
use platform::{Clock, EventHandler, Failure};

use crate::arbiter::lose_the_confirmation;
use crate::support::Service;

/// Describes the final state of a record without its time.
fn end(record: Option<Payment>) -> String {
    match record.unwrap().state {
        PaymentState::Succeeded { intent: Some(intent), .. } => format!("succeeded with {intent}"),
        PaymentState::Succeeded { intent: None, .. } => "succeeded".to_owned(),
        PaymentState::Declined { reason, .. } => format!("declined: {}", reason.code),
        PaymentState::Voided { reason, .. } => format!("voided: {}", reason.as_ref()),
        PaymentState::Charging { .. } => "charging".to_owned(),
    }
}

#[tokio::test]
async fn a_report_that_comes_before_process_payment() {
    // The attempt crashed after the confirmation: the customer is charged, and it is not recorded.
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, true).await;
    let by_report = service.report("pi_0", Succeeded).await.unwrap().expect("the outcome");
    assert_eq!(by_report.fact.name(), "payment.succeeded");
    assert_eq!(
        service.provider.calls(),
        ["create", "confirm", "retrieve"],
        "the provider is queried, the report is not trusted"
    );
    let record = service.record();
    assert_eq!(service.charge().await.unwrap(), by_report, "the same event, with the same id");
    assert_eq!((service.record(), service.captures()), (record.clone(), 1));
    assert_eq!(end(record), "succeeded with pi_0");
}

#[tokio::test]
async fn a_report_that_comes_after_process_payment() {
    for (method, status, expected_end) in [
        ("pm_card_visa", Succeeded, "succeeded with pi_0"),
        ("pm_declined", Failed, "declined: card_declined"),
        ("pm_declined", Cancelled, "declined: card_declined"),
    ] {
        let service = Service::new(method);
        service.charge().await.unwrap();
        let (record, calls) = (service.record(), service.provider.calls().len());
        for later in [SignedDuration::ZERO, SignedDuration::from_hours(24 * 30)] {
            service.clock.advance(later);
            assert_eq!(service.report("pi_0", status).await.unwrap(), None, "already published");
        }
        assert_eq!((service.record(), service.provider.calls().len()), (record.clone(), calls), "{method}");
        assert_eq!(end(record), expected_end);
    }
}

#[tokio::test]
async fn the_order_of_arrival_and_the_status_in_the_report_do_not_matter() {
    for method in ["pm_card_visa", "pm_declined"] {
        for after in [true, false] {
            let mut ends = Vec::new();
            for status in [None, Some(Processing), Some(Succeeded), Some(Failed), Some(Cancelled)] {
                let service = Service::new(method);
                lose_the_confirmation(&service, after).await;
                if let Some(status) = status {
                    service.report("pi_0", status).await.unwrap();
                }
                let outcome = service.charge().await.unwrap();
                assert_eq!(
                    outcome.cause.causation_id, None,
                    "the cause is that of the record, whichever attempt finished it"
                );
                ends.push((end(service.record()), outcome.id, service.captures()));
            }
            assert!(ends.iter().all(|end| *end == ends[0]), "{method}, {after}: {ends:?}");
        }
    }
}

#[tokio::test]
async fn a_report_waits_for_the_lease_to_expire() {
    let service = Service::new("pm_slow");
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))), "it is being processed");
    // Processing has finished and is reported. The report waits no longer than the record's lease.
    service.provider.complete_processing();
    assert_eq!(service.report("pi_0", Succeeded).await.unwrap().unwrap().fact.name(), "payment.succeeded");

    let service = Service::new("pm_card_visa");
    let start = service.clock.now();
    lose_the_confirmation(&service, true).await;
    service.clock.advance(-LEASE_DURATION);
    let Err(Failure::Leased { until }) = service.report("pi_0", Succeeded).await else {
        panic!("it is leased")
    };
    assert_eq!(until, start + LEASE_DURATION);
}

#[tokio::test]
async fn a_report_does_not_start_a_charge() {
    // There is no record: the report does not contain the order, and nothing is charged.
    let service = Service::new("pm_card_visa");
    assert_eq!(service.report("pi_0", Succeeded).await.unwrap(), None);
    assert_eq!((service.record(), service.provider.calls()), (None, vec![]));

    // Another PaymentIntent: the response to its creation was lost, and it is never confirmed.
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
async fn a_payment_that_is_being_voided_stays_so() {
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    service.provider.lost_requests.fail_next(1);
    assert!(matches!(service.void().await, Err(Failure::Retry(_))), "only the cancellation is recorded");
    let outcome = service.report("pi_0", ReportedStatus::Processing).await.unwrap().unwrap();
    assert_eq!(outcome.fact.name(), "payment.voided");
    assert_eq!((service.captures(), service.void().await.unwrap()), (0, outcome));
}

#[tokio::test]
async fn a_cancellation_at_the_provider_voids_the_payment() {
    use payments::provider::Provider;
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    service.provider.cancel(&"pi_0".parse().unwrap()).await.unwrap();
    service.report("pi_0", Cancelled).await.unwrap().unwrap();
    assert_eq!(end(service.record()), "voided: provider");
}

#[tokio::test]
async fn void_payment_does_not_handle_reports() {
    let service = Service::new("pm_card_visa");
    let report = service.payment_reported("pi_0", Succeeded);
    assert!(matches!(service.void_payment().handle(&report).await, Err(Failure::Poison(_))));
}
