//! The statuses of a PaymentIntent: <https://docs.stripe.com/payments/paymentintents/lifecycle>.

use domain::VoidReason;
use domain::fact::CancellationRequested;

use super::*;
use crate::arbiter::VoidPayment;

#[tokio::test]
async fn every_documented_status_is_mapped() {
    for (status, expected) in [
        ("requires_payment_method", declined("payment_intent_payment_attempt_failed", None)),
        ("requires_confirmation", IntentStatus::Unconfirmed),
        ("requires_action", declined("authentication_required", None)),
        ("processing", IntentStatus::Processing),
        ("requires_capture", declined("capture_required", None)),
        ("canceled", IntentStatus::Cancelled),
        ("succeeded", IntentStatus::Succeeded),
    ] {
        let world = World::start().await;
        let id = world.create("pm_card_visa", "key-1").await.unwrap();
        world.set_status(&id, status).await;
        assert_eq!(world.stripe.retrieve(&id).await.unwrap(), expected, "{status}");
        // Whatever is not final, and not being processed, can be cancelled for good.
        let cancelled = match expected {
            IntentStatus::Processing | IntentStatus::Succeeded => expected,
            _ => IntentStatus::Cancelled,
        };
        assert_eq!(world.stripe.cancel(&id).await.unwrap(), cancelled, "{status}");
        assert_eq!(world.charges().await, usize::from(status == "succeeded"), "{status}");
    }
}

#[tokio::test]
async fn an_unknown_status_decides_nothing() {
    let id: PaymentIntentId = "pi_1".parse().unwrap();
    let intent = json!({"id": "pi_1", "status": "requires\ndivination", "last_payment_error": null});
    let error = json!({"error": {"code": "payment_intent_unexpected_state", "payment_intent": intent}});
    for (status, body) in [(StatusCode::OK, intent), (StatusCode::BAD_REQUEST, error)] {
        let stripe = fixed(status, body);
        for response in [stripe.retrieve(&id).await, stripe.confirm(&id, "k").await, stripe.cancel(&id).await]
        {
            let Err(ProviderError::Unknown(why)) = &response else { panic!("{status}: {response:?}") };
            let expected = r"pi_1 has the status requires\ndivination, which this version does not know";
            assert_eq!(why.to_string(), expected);
        }
    }
}

fn cancellation_requested(confirmed: &Event) -> Event {
    let Fact::ReservationConfirmed(fact) = &confirmed.fact else { panic!("{confirmed:?}") };
    let fact = CancellationRequested { order: fact.order.clone(), reason: VoidReason::Expired };
    Event::new(confirmed.subject, Fact::CancellationRequested(fact), confirmed.time, confirmed.to_cause())
}

/// A charge can be processed for days. It is neither repeated nor voided in the meantime: the order is paid if it
/// succeeds, and otherwise has the outcome that was asked for.
#[tokio::test]
async fn a_payment_waits_for_the_end_of_processing() {
    for (is_cancelled, end, outcome) in [
        (false, "succeeded", "payment.succeeded"),
        (true, "succeeded", "payment.succeeded"),
        (false, "requires_payment_method", "payment.failed"),
        (true, "requires_payment_method", "payment.voided"),
    ] {
        let world = World::start().await;
        let payments = Arc::new(InMemoryPayments::default());
        let charge = ProcessPayment(world.arbiter(payments.clone()));
        let void = VoidPayment(world.arbiter(payments.clone()));
        let confirmed = event_with("pm_card_processing");
        for _ in 0..3 {
            let mut failures = vec![charge.handle(&confirmed).await];
            if is_cancelled {
                failures.push(void.handle(&cancellation_requested(&confirmed)).await);
            }
            for failure in failures {
                let is_waiting = matches!(&failure, Err(Failure::Retry(why)) if why.to_string().contains("still processing"));
                assert!(is_waiting, "{failure:?}");
            }
            assert_eq!(world.charges().await, 0);
        }
        let record = payments.all().into_values().next().unwrap();
        let domain::payment::PaymentState::Charging { intent: Some(intent), .. } = &record.state else {
            panic!("{record:?}")
        };
        world.set_status(intent, end).await;
        let event = charge.handle(&confirmed).await.unwrap().remove(0);
        assert_eq!(event.fact.name(), outcome, "{is_cancelled} {end}");
        assert_eq!(void.handle(&cancellation_requested(&confirmed)).await.unwrap(), [event]);
        assert_eq!(world.charges().await, usize::from(end == "succeeded"), "{is_cancelled} {end}");
        let last = if end == "succeeded" { IntentStatus::Succeeded } else { IntentStatus::Cancelled };
        assert_eq!(world.stripe.retrieve(intent).await.unwrap(), last);
    }
}
