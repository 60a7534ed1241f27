//! The outcome of a payment under every kind of failure.

use domain::Fact;
use domain::payment::{Goal, ProviderObservation, Request};
use jiff::SignedDuration;
use payments::finalization::{Finalization, LEASE_DURATION, Next, Progress, ProviderRequest};
use payments::provider::Provider;
use payments::store::Payments;
use platform::{Clock, EventHandler, Failure};
use uuid::Uuid;

use crate::support::{Service, cause, details, order_id};

#[tokio::test]
async fn a_charge_is_created_and_confirmed_once_and_redeliveries_return_the_same_event() {
    let service = Service::new("pm_card_visa");
    let event = service.charge().await.unwrap();
    let Fact::PaymentSucceeded(paid) = &event.fact else { panic!("{event:?}") };
    let payment_intent = paid.payment_intent.as_ref().map(|intent| intent.as_str());
    assert_eq!((payment_intent, paid.amount), (Some("pi_0"), details("pm_card_visa").total));
    assert_eq!(event.cause.causation_id, Some(service.reservation_confirmed().id));
    assert_eq!(service.provider.calls(), ["create", "confirm"]);

    service.clock.advance(SignedDuration::from_hours(24 * 14));
    assert_eq!(service.charge().await.unwrap(), event);
    assert_eq!(service.void().await.unwrap(), event, "too late: the customer was charged");
    assert_eq!((service.provider.calls().len(), service.captures()), (2, 1));
}

#[tokio::test]
async fn a_declined_intent_is_cancelled_at_the_provider_before_the_outcome_is_published() {
    let service = Service::new("pm_declined");
    let event = service.charge().await.unwrap();
    assert!(matches!(&event.fact, Fact::PaymentFailed(failed) if failed.reason.code == "card_declined"));
    assert_eq!(service.provider.calls(), ["create", "confirm", "cancel"]);
    assert_eq!(service.void().await.unwrap(), event);
}

#[tokio::test]
async fn an_unknown_payment_method_is_a_decline() {
    let service = Service::new("pm_unknown");
    let event = service.charge().await.unwrap();
    assert!(matches!(&event.fact, Fact::PaymentFailed(failed) if failed.reason.code == "resource_missing"));
}

#[tokio::test]
async fn an_order_of_nothing_is_paid_without_the_provider() {
    let service = Service::with_price("pm_unknown", 0);
    let event = service.charge().await.unwrap();
    let Fact::PaymentSucceeded(paid) = &event.fact else { panic!("{event:?}") };
    assert_eq!((&paid.payment_intent, paid.amount.minor_units()), (&None, 0));
    service.clock.advance(SignedDuration::from_hours(24 * 14));
    assert_eq!(service.charge().await.unwrap(), event);
    assert_eq!(service.void().await.unwrap(), event, "too late: the order is paid");
    assert_eq!((service.provider.calls(), service.captures()), (vec![], 0));

    let service = Service::with_price("pm_unknown", 0);
    let voided = service.void().await.unwrap();
    assert_eq!(voided.fact.name(), "payment.voided");
    assert_eq!(service.charge().await.unwrap(), voided);
}

#[tokio::test]
async fn an_amount_that_only_the_provider_knows_to_be_too_small_is_a_decline_with_that_reason() {
    // Such an order comes from another order service, which does not check the amount.
    let service = Service::with_price("pm_card_visa", 20);
    let event = service.charge().await.unwrap();
    assert!(matches!(&event.fact, Fact::PaymentFailed(failed) if failed.reason.code == "amount_too_small"));
    assert_eq!(service.provider.calls(), ["create"]);
}

#[tokio::test]
async fn a_payment_that_was_voided_first_is_never_charged() {
    let service = Service::new("pm_card_visa");
    let event = service.void().await.unwrap();
    assert_eq!(event.fact.name(), "payment.voided");
    assert_eq!(service.charge().await.unwrap(), event);
    assert_eq!((service.provider.calls(), service.captures()), (vec![], 0));
}

#[tokio::test]
async fn after_an_unknown_outcome_the_provider_is_queried_first() {
    // The request took effect, and its response was lost.
    let service = Service::new("pm_card_visa");
    service.provider.lost_responses.fail_next(2);
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))), "the first attempt: create");
    assert!(
        matches!(service.charge().await, Err(Failure::Retry(_))),
        "the second attempt: create with another key"
    );
    service.charge().await.unwrap();
    assert_eq!(service.captures(), 1);

    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, true).await;
    assert_eq!(service.charge().await.unwrap().fact.name(), "payment.succeeded");
    assert_eq!(service.provider.calls(), ["create", "confirm", "retrieve"], "not confirmed twice");
    assert_eq!(service.captures(), 1);

    // The request never arrived.
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    service.charge().await.unwrap();
    assert_eq!(service.provider.calls(), ["create", "retrieve", "confirm"]);
    assert_eq!(service.captures(), 1);
}

/// Runs an attempt that creates and records its PaymentIntent, and loses the confirmation before or after its
/// effect.
pub(crate) async fn lose_the_confirmation(service: &Service, after: bool) {
    let (order, cause) = (details("pm_card_visa"), cause());
    let request = Request { order_id: order_id(), order: &order, cause: &cause };
    let attempt = Finalization { owner: Uuid::from_u128(99), goal: Goal::Charge, request };
    let (mut progress, start) = (Progress::Unread, service.clock.now());
    loop {
        progress = match attempt.next(progress, start) {
            Next::Read => Progress::after_read(service.payments.get(order_id()).await),
            Next::Write(write) => {
                let written = service.payments.write(&write.payment).await;
                write.answered(written)
            }
            Next::Ask(query) => match query.request.clone() {
                ProviderRequest::Create(intent) => {
                    query.answered(service.provider.create(intent).await.map(ProviderObservation::Created))
                }
                ProviderRequest::Confirm { intent, idempotency_key } => {
                    if after {
                        service.provider.confirm(&intent, &idempotency_key).await.unwrap();
                    }
                    // The attempt crashes here, and its lease has not expired.
                    break;
                }
                request => panic!("{request:?}"),
            },
            next => panic!("{next:?}"),
        }
    }
    let Err(Failure::Leased { until }) = service.charge().await else {
        panic!("another attempt holds the lease")
    };
    assert_eq!(until, start + LEASE_DURATION);
    assert!(matches!(service.void().await, Err(Failure::Leased { .. })));
    service.clock.advance(LEASE_DURATION);
}

#[tokio::test]
async fn voiding_an_interrupted_payment_finds_out_its_outcome() {
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, true).await;
    assert_eq!(service.void().await.unwrap().fact.name(), "payment.succeeded");

    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    assert_eq!(service.void().await.unwrap().fact.name(), "payment.voided");
    assert_eq!(service.provider.calls(), ["create", "retrieve", "cancel"]);
    assert_eq!(service.captures(), 0);
}

#[tokio::test]
async fn a_failed_attempt_releases_its_lease_so_that_the_next_one_need_not_wait() {
    let service = Service::new("pm_slow");
    for _ in 0..3 {
        let failure = service.charge().await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Retry(why) if why.to_string().contains("still processing")),
            "{failure}"
        );
    }
    assert!(matches!(service.void().await, Err(Failure::Retry(_))), "a payment in processing is not voided");
    service.provider.complete_processing();
    assert_eq!(service.charge().await.unwrap().fact.name(), "payment.succeeded");
    assert_eq!(service.captures(), 1);
}

#[tokio::test]
async fn a_recorded_cancellation_survives_failures() {
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    // The cancellation is recorded; then the provider is unavailable.
    service.provider.lost_requests.fail_next(1);
    assert!(matches!(service.void().await, Err(Failure::Retry(_))));
    assert_eq!(
        service.charge().await.unwrap().fact.name(),
        "payment.voided",
        "even if the goal is to charge"
    );
    assert_eq!(service.captures(), 0);
}

#[tokio::test]
async fn a_write_whose_response_was_lost_is_found_again() {
    for writes in 1..=3 {
        let service = Service::new("pm_card_visa");
        service.payments.false_conflicts.fail_next(writes);
        let outcome = service.charge().await.unwrap();
        assert_eq!(outcome.fact.name(), "payment.succeeded", "{writes}");
        assert_eq!(service.captures(), 1, "{writes}");
    }
}

#[tokio::test]
async fn an_unavailable_table_is_retried() {
    let service = Service::new("pm_card_visa");
    service.payments.failures.fail_next(1);
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))));
    assert_eq!(service.charge().await.unwrap().fact.name(), "payment.succeeded");
}

#[tokio::test]
async fn events_of_other_types_are_poison() {
    let service = Service::new("pm_card_visa");
    let (confirmed, cancellation) = (service.reservation_confirmed(), service.cancellation_requested());
    assert!(matches!(service.process_payment().handle(&cancellation).await, Err(Failure::Poison(_))));
    assert!(matches!(service.void_payment().handle(&confirmed).await, Err(Failure::Poison(_))));
}
