//! `send-email`: once per order and kind, as far as can be.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::claim::{Claim, DEFAULT_LEASE_DURATION, MAX_REQUEST_AGE, RECORD_LIFETIME, Status};
use domain::payment::VoidReason;
use domain::{Attempt, Event, Fact};
use jiff::{SignedDuration, Timestamp};
use notifications::adapters::memory::InMemoryMailer;
use notifications::mail::Kind;
use notifications::send::SendEmail;
use notifications::store::Mailer;
use platform::idempotency::{Idempotency, IdempotencyStore, InMemoryIdempotencyStore, Key, Task};
use platform::memory::ManualClock;
use platform::{Clock, EventHandler, Failure};
use uuid::Uuid;

use crate::support::{created, details_of, order_id, paid, paid_by, voided};

struct World {
    claims: Arc<InMemoryIdempotencyStore>,
    mailer: Arc<InMemoryMailer>,
    clock: Arc<ManualClock>,
    function: SendEmail,
}

fn world() -> World {
    let claims = Arc::new(InMemoryIdempotencyStore::default());
    let mailer = Arc::new(InMemoryMailer::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap()));
    let function = SendEmail {
        idempotency: Idempotency::new(
            Arc::clone(&claims) as Arc<dyn IdempotencyStore>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        ),
        mailer: Arc::clone(&mailer) as Arc<dyn Mailer>,
        shop: "Tea & Co".to_owned(),
    };
    World { claims, mailer, clock, function }
}

fn key() -> Key {
    Key::new(order_id(), Kind::Confirmation.name())
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

    /// Somebody claims the mail and is not heard of again.
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
async fn a_mail_is_sent_once_however_often_its_event_comes() {
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
async fn each_kind_of_mail_has_a_claim_of_its_own() {
    let world = world();
    world.send().await.unwrap();
    world.function.handle(&voided(VoidReason::Expired)).await.unwrap();
    let kinds: Vec<_> = world.mailer.sent().iter().map(|mail| mail.kind).collect();
    assert_eq!(kinds, [Kind::Confirmation, Kind::Cancellation]);
}

#[tokio::test]
async fn while_another_may_be_at_it_the_mail_waits() {
    let world = world();
    world.claimed_by_another().await;
    let Err(Failure::Leased { until }) = world.send().await else { panic!("somebody else is at it") };
    assert_eq!(until.duration_since(world.clock.now()), SignedDuration::from_secs(45));
    assert!(world.mailer.sent().is_empty());
    // It crashed, and swallows no mail.
    world.clock.advance(SignedDuration::from_secs(45));
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn of_two_at_once_one_sends() {
    let world = world();
    world.claims.conflicts.fail_next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    assert!(world.mailer.sent().is_empty(), "not without the claim");
}

#[tokio::test]
async fn a_mail_that_could_not_be_sent_is_tried_again_at_once() {
    let world = world();
    world.mailer.failures.fail_next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_mail_that_is_refused_is_put_before_a_person() {
    let world = world();
    world.mailer.refuses.store(true, Ordering::SeqCst);
    let failure = world.send().await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)));
    assert!(
        failure.to_string().contains("MessageRejected") && !failure.to_string().contains("ada"),
        "{failure}"
    );
    // Sent again from the dead letters, when what was wrong is right.
    world.mailer.refuses.store(false, Ordering::SeqCst);
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_mail_that_may_have_been_sent_waits_for_its_lease_and_is_sent_again() {
    let world = world();
    world.mailer.lost_answers.fail_next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    assert!(matches!(world.send().await, Err(Failure::Leased { .. })), "it may still be on its way");
    world.clock.advance(DEFAULT_LEASE_DURATION);
    world.send().await.unwrap();
    assert_eq!(world.mailer.sent().len(), 2, "better twice than never");
    assert_eq!(world.claim().await.unwrap().unknown_outcomes, 1);
}

#[tokio::test]
async fn another_outcome_of_the_same_kind_is_refused() {
    let world = world();
    world.send().await.unwrap();
    let failure = world.handle(&paid_by(details_of("Grace Hopper"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)));
    assert!(failure.to_string().contains("another payload"), "{failure}");
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_redrive_after_the_record_is_gone_sends_no_second_mail() {
    let world = world();
    world.send().await.unwrap();
    world.clock.advance(RECORD_LIFETIME);
    world.claims.remove_expired(world.clock.now());
    assert_eq!(world.claim().await, None, "it has been removed");
    let failure = world.send().await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)) && failure.to_string().contains("57 days"), "{failure}");
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn an_event_that_is_told_again_later_is_as_old_as_its_order() {
    let world = world();
    world.clock.advance(MAX_REQUEST_AGE);
    let event = paid();
    let cause = event.cause.clone();
    let Fact::PaymentSucceeded(_) = &event.fact else { panic!("paid") };
    let again = Event::new(event.subject, event.fact, world.clock.now(), cause);
    assert!(matches!(world.handle(&again).await, Err(Failure::Reject(_))));
    assert!(world.mailer.sent().is_empty());
}

#[tokio::test]
async fn events_that_lead_to_no_mail_are_not_understood() {
    assert!(matches!(world().function.handle(&created()).await, Err(Failure::Poison(_))));
}
