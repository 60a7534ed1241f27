//! `send-email`: one email per order and kind, as far as possible.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::claim::{Claim, DEFAULT_LEASE_DURATION, MAX_REQUEST_AGE, RECORD_LIFETIME, Status};
use domain::{Attempt, Event, Fact, VoidReason};
use jiff::{SignedDuration, Timestamp};
use notifications::adapters::memory::InMemoryMailer;
use notifications::mail::EmailKind;
use notifications::names::ProductNames;
use notifications::send::SendEmail;
use notifications::store::Mailer;
use platform::idempotency::{Idempotency, IdempotencyStore, InMemoryIdempotencyStore, Key, Task};
use platform::memory::ManualClock;
use platform::{Clock, EventHandler, Failure};
use product_catalogue::Catalogue;
use product_catalogue::memory::InMemoryCatalogue;
use uuid::Uuid;

use crate::support::{
    created, details_in, details_of, order_id, paid, paid_by, rejected, shortages, sold_out, voided,
};

struct World {
    claims: Arc<InMemoryIdempotencyStore>,
    mailer: Arc<InMemoryMailer>,
    catalogue: Arc<InMemoryCatalogue>,
    clock: Arc<ManualClock>,
    function: SendEmail,
}

fn world() -> World {
    let claims = Arc::new(InMemoryIdempotencyStore::default());
    let mailer = Arc::new(InMemoryMailer::default());
    let catalogue = Arc::new(InMemoryCatalogue::default());
    catalogue.put("TEA-001", "Darjeeling", None).unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap()));
    let function = SendEmail {
        idempotency: Idempotency::new(
            Arc::clone(&claims) as Arc<dyn IdempotencyStore>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        ),
        mailer: Arc::clone(&mailer) as Arc<dyn Mailer>,
        names: ProductNames::new(
            Arc::clone(&catalogue) as Arc<dyn Catalogue>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        ),
        shop: "Tea & Co".to_owned(),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    };
    World { claims, mailer, catalogue, clock, function }
}

fn key() -> Key {
    Key::new(order_id(), EmailKind::Confirmation.as_ref())
}

impl World {
    async fn handle(&self, event: &Event) -> Result<(), Failure> {
        self.function.handle(event).await.map(|events| assert!(events.is_empty()))
    }

    async fn send(&self) -> Result<(), Failure> {
        self.handle(&paid()).await
    }

    async fn claim(&self) -> Option<Claim> {
        self.claims.get(&key()).await.unwrap()
    }

    /// Another attempt claims the email and crashes.
    async fn claimed_by_another(&self) {
        let now = self.clock.now();
        let attempt = Attempt { owner: Uuid::from_u128(99), now, lease_duration: DEFAULT_LEASE_DURATION };
        let status = Status::InProgress { lease: attempt.lease() };
        let task = Task::new(key(), &paid().fact, now).unwrap();
        let claim = Claim { version: 1, fingerprint: task.fingerprint, unknown_outcomes: 0, status };
        assert!(self.claims.write(&key(), None, &claim, now + RECORD_LIFETIME).await.unwrap());
    }
}

#[tokio::test]
async fn an_email_is_sent_once_however_often_its_event_is_delivered() {
    let world = world();
    for _ in 0..3 {
        world.send().await.unwrap();
        world.clock.advance(SignedDuration::from_hours(24));
    }
    assert_eq!(world.mailer.sent().len(), 1);
    assert!(
        matches!(world.claim().await.unwrap().status, Status::Completed { receipt, .. } if receipt == "mail-1")
    );
}

#[tokio::test]
async fn each_kind_of_email_has_its_own_claim() {
    let world = world();
    world.send().await.unwrap();
    world.function.handle(&voided(details_in(None), VoidReason::Expired)).await.unwrap();
    let kinds: Vec<_> = world.mailer.sent().iter().map(|email| email.kind).collect();
    assert_eq!(kinds, [EmailKind::Confirmation, EmailKind::Cancellation]);
}

#[tokio::test]
async fn an_email_waits_while_another_attempt_holds_the_lease() {
    let world = world();
    world.claimed_by_another().await;
    let Err(Failure::Leased { until }) = world.send().await else {
        panic!("another attempt holds the lease")
    };
    assert_eq!(until.duration_since(world.clock.now()), SignedDuration::from_secs(45));
    assert!(world.mailer.sent().is_empty());
    // The other attempt crashed. Its email is not lost.
    world.clock.advance(SignedDuration::from_secs(45));
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn of_two_concurrent_attempts_one_sends() {
    let world = world();
    world.claims.conflicts.fail_next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    assert!(world.mailer.sent().is_empty(), "nothing is sent without the claim");
}

#[tokio::test]
async fn an_email_that_could_not_be_sent_is_retried_immediately() {
    let world = world();
    world.mailer.failures.fail_next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_rejected_email_needs_manual_intervention() {
    let world = world();
    world.mailer.rejects_all.store(true, Ordering::SeqCst);
    let failure = world.send().await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)));
    assert!(
        failure.to_string().contains("MessageRejected") && !failure.to_string().contains("ada"),
        "{failure}"
    );
    // It is redriven from the DLQ once the cause is fixed.
    world.mailer.rejects_all.store(false, Ordering::SeqCst);
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn an_undeliverable_email_is_recorded_and_not_sent_again() {
    let world = world();
    world.mailer.refuses_addresses.store(true, Ordering::SeqCst);
    world.send().await.unwrap();
    let claim = world.claim().await.unwrap();
    assert!(
        matches!(&claim.status, Status::Completed { receipt, .. } if receipt == "undeliverable: BadRequestException"),
        "{claim:?}"
    );
    world.mailer.refuses_addresses.store(false, Ordering::SeqCst);
    world.send().await.unwrap();
    assert!(world.mailer.sent().is_empty());
    world.handle(&voided(details_in(None), VoidReason::Expired)).await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1, "another email of the order is not affected");
}

#[tokio::test]
async fn no_email_is_sent_about_a_product_that_does_not_exist() {
    let world = world();
    world.handle(&rejected(details_in(None), &shortages())).await.unwrap();
    assert!(world.mailer.sent().is_empty() && world.claims.claims().is_empty());
    world.handle(&sold_out()).await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn an_email_that_may_have_been_sent_is_sent_again_when_the_lease_expires() {
    let world = world();
    world.mailer.lost_responses.fail_next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    assert!(
        matches!(world.send().await, Err(Failure::Leased { .. })),
        "the first request may still be in progress"
    );
    world.clock.advance(DEFAULT_LEASE_DURATION);
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 2, "better twice than never");
    assert_eq!(world.claim().await.unwrap().unknown_outcomes, 1);
}

#[tokio::test]
async fn another_payload_of_the_same_kind_is_rejected() {
    let world = world();
    world.send().await.unwrap();
    let failure = world.handle(&paid_by(details_of("Grace Hopper"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)));
    assert!(failure.to_string().contains("another payload"), "{failure}");
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_redrive_after_the_claim_was_deleted_sends_no_second_email() {
    let world = world();
    world.send().await.unwrap();
    world.clock.advance(RECORD_LIFETIME);
    world.claims.remove_expired(world.clock.now());
    assert_eq!(world.claim().await, None, "it has been deleted");
    let failure = world.send().await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)) && failure.to_string().contains("57 days"), "{failure}");
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_republished_event_is_as_old_as_its_order() {
    let world = world();
    world.clock.advance(MAX_REQUEST_AGE);
    let event = paid();
    let cause = event.cause.clone();
    let Fact::PaymentSucceeded(_) = &event.fact else { panic!("paid") };
    let republished = Event::new(event.subject, event.fact, world.clock.now(), cause);
    assert!(matches!(world.handle(&republished).await, Err(Failure::Reject(_))));
    assert!(world.mailer.sent().is_empty());
}

#[tokio::test]
async fn an_email_names_the_products() {
    let world = world();
    // One failed request is no reason to show a SKU.
    world.catalogue.failures.fail_next(1);
    world.send().await.unwrap();
    let text = &world.mailer.sent()[0].text;
    assert!(text.contains("2 × \u{2068}Darjeeling\u{2069}"), "{text}");
    // This product does not exist any more.
    assert!(text.contains("1 × \u{2068}CUP-007\u{2069}"), "{text}");
}

#[tokio::test]
async fn an_email_is_sent_without_names_if_the_catalogue_is_unavailable() {
    let down = world();
    down.catalogue.failures.fail_next(u32::MAX);
    let silent = world();
    silent.catalogue.hangs.store(true, Ordering::SeqCst);
    for world in [down, silent] {
        world.send().await.unwrap();
        let sent = world.mailer.sent();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].text.contains("2 × \u{2068}TEA-001\u{2069}"), "{}", sent[0].text);
    }
}

#[tokio::test]
async fn a_redelivery_after_a_product_was_renamed_sends_no_second_email() {
    let world = world();
    world.send().await.unwrap();
    world.catalogue.put("TEA-001", "Darjeeling First Flush", None).unwrap();
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn events_that_cause_no_email_are_poison() {
    assert!(matches!(world().function.handle(&created()).await, Err(Failure::Poison(_))));
}
