//! What becomes of a payment, whatever goes wrong on the way.

use domain::payment::{Goal, ProviderObservation, Request, Step, decide};
use domain::{Attempt, Fact};
use jiff::SignedDuration;
use payments::arbiter::LEASE;
use payments::provider::{NewIntent, Provider};
use payments::store::Payments;
use platform::{Clock, EventHandler, Failure};
use uuid::Uuid;

use crate::support::{Service, cause, details, order_id};

#[tokio::test]
async fn a_charge_is_made_and_confirmed_and_told_alike_however_often() {
    let service = Service::new("pm_card_visa");
    let event = service.charge().await.unwrap();
    let Fact::PaymentSucceeded(paid) = &event.fact else { panic!("{event:?}") };
    assert_eq!((paid.payment_intent.as_str(), paid.amount), ("pi_0", details("pm_card_visa").total));
    assert_eq!(event.cause.causation_id, Some(service.confirmed().id));
    assert_eq!(service.provider.calls(), ["create", "confirm"]);

    service.clock.advance(SignedDuration::from_hours(24 * 14));
    assert_eq!(service.charge().await.unwrap(), event);
    assert_eq!(service.void().await.unwrap(), event, "too late: the customer was charged");
    assert_eq!((service.provider.calls().len(), service.captures()), (2, 1));
}

#[tokio::test]
async fn what_is_declined_is_cancelled_at_the_provider_before_it_is_told() {
    let service = Service::new("pm_declined");
    let event = service.charge().await.unwrap();
    assert!(matches!(&event.fact, Fact::PaymentFailed(failed) if failed.reason.code == "card_declined"));
    assert_eq!(service.provider.calls(), ["create", "confirm", "cancel"]);
    assert_eq!(service.void().await.unwrap(), event);
}

#[tokio::test]
async fn a_payment_method_that_is_not_known_is_a_decline() {
    let service = Service::new("pm_unknown");
    let event = service.charge().await.unwrap();
    assert!(matches!(&event.fact, Fact::PaymentFailed(failed) if failed.reason.code == "resource_missing"));
}

#[tokio::test]
async fn what_is_voided_first_is_never_charged() {
    let service = Service::new("pm_card_visa");
    let event = service.void().await.unwrap();
    assert_eq!(event.fact.name(), "payment.voided");
    assert_eq!(service.charge().await.unwrap(), event);
    assert_eq!((service.provider.calls(), service.captures()), (vec![], 0));
}

#[tokio::test]
async fn after_an_unknown_outcome_the_provider_is_asked_before_anything_is_done() {
    // The charge was made, and its answer lost.
    let service = Service::new("pm_card_visa");
    service.provider.lost_answers.fail_next(2);
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))), "the first: create");
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))), "create again, with another key");
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

/// An attempt whose PaymentIntent is made and written, and whose confirmation gets lost, before or after its effect.
pub(crate) async fn lose_the_confirmation(service: &Service, after: bool) {
    let (order, cause) = (details("pm_card_visa"), cause());
    let request = Request { order_id: order_id(), order: &order, cause: &cause };
    let attempt = Attempt { owner: Uuid::from_u128(99), now: service.clock.now(), lease_duration: LEASE };
    let (mut read, mut seen) = (None, ProviderObservation::Nothing);
    loop {
        match decide(read.as_ref(), Goal::Charge, &seen, &request, &attempt) {
            Step::Write(payment) => {
                assert!(service.payments.write(&payment).await.unwrap());
                read = Some(*payment);
            }
            Step::CreateIntent { idempotency_key } => {
                let intent = NewIntent {
                    order_id: order_id(),
                    amount: order.total,
                    payment_method: order.payment_method.clone(),
                    idempotency_key,
                };

                seen = ProviderObservation::Created(service.provider.create(intent).await.unwrap());
            }
            Step::Confirm { intent, idempotency_key } => {
                if after {
                    service.provider.confirm(&intent, &idempotency_key).await.unwrap();
                }
                // It crashed here, and its lease runs on.
                break;
            }
            step => panic!("{step:?}"),
        }
    }
    let Err(Failure::Leased { until }) = service.charge().await else { panic!("somebody else is at it") };
    assert_eq!(until, attempt.lease().expires_at);
    assert!(matches!(service.void().await, Err(Failure::Leased { .. })));
    service.clock.advance(LEASE);
}

#[tokio::test]
async fn whoever_voids_what_somebody_left_learns_what_became_of_it() {
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
async fn a_failed_attempt_gives_up_its_lease_so_that_the_next_need_not_wait() {
    let service = Service::new("pm_slow");
    for _ in 0..3 {
        let failure = service.charge().await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Retry(why) if why.to_string().contains("still at it")),
            "{failure}"
        );
    }
    assert!(matches!(service.void().await, Err(Failure::Retry(_))), "what is being processed is not voided");
    service.provider.process();
    assert_eq!(service.charge().await.unwrap().fact.name(), "payment.succeeded");
    assert_eq!(service.captures(), 1);
}

#[tokio::test]
async fn an_order_that_is_not_to_be_charged_any_more_stays_so_over_failures() {
    let service = Service::new("pm_card_visa");
    lose_the_confirmation(&service, false).await;
    // The wish is written; the provider then does not answer.
    service.provider.lost_requests.fail_next(1);
    assert!(matches!(service.void().await, Err(Failure::Retry(_))));
    assert_eq!(
        service.charge().await.unwrap().fact.name(),
        "payment.voided",
        "also for whoever came to charge"
    );
    assert_eq!(service.captures(), 0);
}

#[tokio::test]
async fn a_write_that_was_made_and_not_told_of_is_found_again() {
    for writes in 1..=3 {
        let service = Service::new("pm_card_visa");
        service.payments.doubtful_writes.fail_next(writes);
        let outcome = service.charge().await.unwrap();
        assert_eq!(outcome.fact.name(), "payment.succeeded", "{writes}");
        assert_eq!(service.captures(), 1, "{writes}");
    }
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_asked_again_later() {
    let service = Service::new("pm_card_visa");
    service.payments.failures.fail_next(1);
    assert!(matches!(service.charge().await, Err(Failure::Retry(_))));
    assert_eq!(service.charge().await.unwrap().fact.name(), "payment.succeeded");
}

#[tokio::test]
async fn events_for_others_are_not_understood() {
    let service = Service::new("pm_card_visa");
    let (confirmed, wish) = (service.confirmed(), service.wish());
    assert!(matches!(service.process_payment().handle(&wish).await, Err(Failure::Poison(_))));
    assert!(matches!(service.void_payment().handle(&confirmed).await, Err(Failure::Poison(_))));
}
