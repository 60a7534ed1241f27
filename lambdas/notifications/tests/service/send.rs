//! `send-email`: once per order and kind, as far as can be.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use domain::Attempt;
use domain::claim::{Claim, Decision, decide};
use domain::payment::VoidReason;
use jiff::{SignedDuration, Timestamp};
use notifications::adapters::memory::{InMemoryClaims, InMemoryMailer};
use notifications::mail::{Kind, Mail};
use notifications::send::SendEmail;
use notifications::store::{Claims, MailError, Mailer};
use platform::memory::ManualClock;
use platform::{Clock, EventHandler, Failure};
use uuid::Uuid;

use crate::support::{created, order_id, paid, voided};

struct World {
    claims: Arc<InMemoryClaims>,
    mailer: Arc<InMemoryMailer>,
    clock: Arc<ManualClock>,
    function: SendEmail,
}

fn world() -> World {
    let (claims, mailer) = (Arc::new(InMemoryClaims::default()), Arc::new(InMemoryMailer::default()));
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap()));
    let function = SendEmail {
        claims: Arc::clone(&claims) as Arc<dyn Claims>,
        mailer: Arc::clone(&mailer) as Arc<dyn Mailer>,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        shop: "Tea & Co".to_owned(),
    };
    World { claims, mailer, clock, function }
}

impl World {
    async fn send(&self) -> Result<(), Failure> {
        self.function.handle(&paid()).await.map(|events| assert!(events.is_empty()))
    }

    async fn claim(&self) -> Option<Claim> {
        self.claims.get(order_id(), Kind::Confirmation).await.unwrap().claim
    }

    /// Somebody claims the mail and is not heard of again.
    async fn claimed_by_another(&self) {
        let lease_for = SignedDuration::from_secs(45);
        let attempt = Attempt { owner: Uuid::from_u128(99), now: self.clock.now(), lease_for };
        let Decision::Claim(claim) = decide(None, &attempt) else { panic!("nobody has it yet") };
        assert!(self.claims.write(order_id(), Kind::Confirmation, 0, &claim).await.unwrap());
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
    assert!(matches!(world.claim().await, Some(Claim::Done { receipt, .. }) if receipt == "mail-1"));
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
    let Err(Failure::Busy { until }) = world.send().await else { panic!("somebody else is at it") };
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
    world.claims.conflicts.next(1);
    assert!(matches!(world.send().await, Err(Failure::Retry(_))));
    assert!(world.mailer.sent().is_empty(), "not without the claim");
}

#[tokio::test]
async fn a_mail_that_could_not_be_sent_is_tried_again_at_once() {
    let world = world();
    world.mailer.failures.next(1);
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

/// Sends, and has the write fail that comes after it.
struct ThenNoClaims(Arc<InMemoryMailer>, Arc<InMemoryClaims>);

#[async_trait]
impl Mailer for ThenNoClaims {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let receipt = self.0.send(mail).await;
        self.1.failures.next(1);
        receipt
    }
}

#[tokio::test]
async fn that_a_mail_was_sent_is_written_twice_before_it_is_given_up() {
    let world = world();
    let mailer = Arc::new(ThenNoClaims(Arc::clone(&world.mailer), Arc::clone(&world.claims)));
    let function = SendEmail { mailer, ..world.function };
    function.handle(&paid()).await.unwrap();
    function.handle(&paid()).await.unwrap();
    assert_eq!(world.mailer.sent().len(), 1);
}

#[tokio::test]
async fn events_that_lead_to_no_mail_are_not_understood() {
    assert!(matches!(world().function.handle(&created()).await, Err(Failure::Poison(_))));
}
