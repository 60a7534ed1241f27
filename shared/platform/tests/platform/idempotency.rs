//! The runner over claims in memory: what an effect sees, and what is answered to those who ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::claim::{HORIZON, LEASE, Outcome, RECORD_LIFETIME, Status};
use jiff::{SignedDuration, Timestamp};
use platform::idempotency::{
    EffectError, LeaseHandle, Idempotency, IdempotencyStore, InMemoryIdempotencyStore, Key, OnUnknown, CompletedEffect,
    Reconciler, Task,
};
use platform::memory::ManualClock;
use platform::{Clock, Failure};

struct World {
    claims: Arc<InMemoryIdempotencyStore>,
    clock: Arc<ManualClock>,
    idempotency: Idempotency,
    effects: AtomicU32,
}

fn key() -> Key {
    Key::new("o-1", "export")
}

fn world() -> World {
    let claims = Arc::new(InMemoryIdempotencyStore::default());
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let idempotency = Idempotency::new(
        Arc::clone(&claims) as Arc<dyn IdempotencyStore>,
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    World { claims, clock, idempotency, effects: AtomicU32::new(0) }
}

impl World {
    /// Has the effect, and ends as `then` says.
    async fn once(
        &self,
        on_unknown: OnUnknown<'_>,
        then: impl FnOnce(String) -> Result<String, EffectError> + Send,
    ) -> Result<CompletedEffect, Failure> {
        let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
        let effect = |_: LeaseHandle| async {
            let number = self.effects.fetch_add(1, Ordering::SeqCst) + 1;
            then(format!("receipt {number}"))
        };
        self.idempotency.run_once(&task, on_unknown, effect).await
    }

    fn effects(&self) -> u32 {
        self.effects.load(Ordering::SeqCst)
    }

    async fn status(&self) -> Status {
        self.claims.get(&key()).await.unwrap().unwrap().status
    }
}

fn unknown(_: String) -> Result<String, EffectError> {
    Err(anyhow::anyhow!("no answer").into())
}

#[tokio::test]
async fn a_duplicate_gets_the_receipt() {
    let world = world();
    let first = world.once(OnUnknown::Block, Ok).await.unwrap();
    assert_eq!(first, CompletedEffect { receipt: "receipt 1".into(), is_replay: false });
    let second = world.once(OnUnknown::Block, Ok).await.unwrap();
    assert_eq!(second, CompletedEffect { receipt: "receipt 1".into(), is_replay: true });
    assert_eq!(world.effects(), 1);
    let (_, expires_at) = world.claims.claims()[&key()].clone();
    assert_eq!(expires_at, Timestamp::UNIX_EPOCH + RECORD_LIFETIME);
}

#[tokio::test]
async fn what_certainly_had_no_effect_is_tried_again_at_once() {
    let world = world();
    let refused =
        world.once(OnUnknown::Block, |_| Err(EffectError::Refused(anyhow::anyhow!("no right")))).await;
    assert!(matches!(refused, Err(Failure::Reject(_))));
    let failed = world.once(OnUnknown::Block, |_| Err(EffectError::NotDone(anyhow::anyhow!("full")))).await;
    assert!(matches!(failed, Err(Failure::Retry(_))));
    assert!(!world.once(OnUnknown::Block, Ok).await.unwrap().is_replay);
}

#[tokio::test]
async fn an_unknown_outcome_is_for_a_person_where_it_blocks() {
    let world = world();
    assert!(matches!(world.once(OnUnknown::Block, unknown).await, Err(Failure::Retry(_))));
    let Err(Failure::Leased { until }) = world.once(OnUnknown::Block, Ok).await else { panic!("still at it") };
    assert_eq!(until, Timestamp::UNIX_EPOCH + LEASE);
    world.clock.advance(LEASE);
    for _ in 0..3 {
        let failure = world.once(OnUnknown::Block, Ok).await.unwrap_err();
        assert!(matches!(failure, Failure::Reject(_)));
        let said = failure.to_string();
        assert!(said.contains("export of o-1") && said.contains("remove the row"), "{said}");
    }
    assert_eq!(world.effects(), 1);
    // A person has looked, and it had not happened.
    world.claims.remove(&key());
    assert_eq!(world.once(OnUnknown::Block, Ok).await.unwrap().receipt, "receipt 2");
}

#[tokio::test]
async fn an_unknown_outcome_is_tried_again_where_that_is_asked_for() {
    let world = world();
    world.once(OnUnknown::Retry, unknown).await.unwrap_err();
    world.clock.advance(LEASE);
    assert_eq!(world.once(OnUnknown::Retry, Ok).await.unwrap().receipt, "receipt 2");
}

struct Told(Outcome);

#[async_trait]
impl Reconciler for Told {
    async fn outcome(&self, asked: &Key) -> anyhow::Result<Outcome> {
        assert_eq!(*asked, key());
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_about_where_somebody_knows() {
    let done = Told(Outcome::Done { receipt: "found".into() });
    let cases = [
        (done, 1, Some("found")),
        (Told(Outcome::NotDone), 2, Some("receipt 2")),
        (Told(Outcome::Unknown), 1, None),
    ];
    for (told, effects, receipt) in cases {
        let world = world();
        world.once(OnUnknown::Reconcile(&told), unknown).await.unwrap_err();
        world.clock.advance(LEASE);
        let answer = world.once(OnUnknown::Reconcile(&told), Ok).await;
        assert_eq!(answer.as_ref().ok().map(|once| once.receipt.as_str()), receipt);
        assert_eq!(world.effects(), effects);
        match answer {
            Ok(_) => assert!(matches!(world.status().await, Status::Completed { .. })),
            Err(failure) => {
                assert!(matches!(failure, Failure::Retry(_)));
                let again = world.once(OnUnknown::Reconcile(&told), Ok).await;
                assert!(matches!(again, Err(Failure::Leased { .. })), "not asked again and again");
            }
        }
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_looked_up() {
    let world = world();
    world.claims.lost_responses.fail_next(2);
    assert!(!world.once(OnUnknown::Block, Ok).await.unwrap().is_replay, "claim and completion were there");
    assert_eq!(world.effects(), 1);
}

#[tokio::test]
async fn that_it_was_done_is_written_twice_before_it_is_given_up() {
    let world = world();
    let fail = |times| {
        let claims = Arc::clone(&world.claims);
        move |receipt| {
            claims.write_failures.fail_next(times);
            Ok(receipt)
        }
    };
    world.once(OnUnknown::Block, fail(1)).await.unwrap();
    world.claims.remove(&key());
    assert!(matches!(world.once(OnUnknown::Block, fail(2)).await, Err(Failure::Retry(_))));
    assert!(matches!(world.status().await, Status::InProgress { .. }), "the policy decides");
}

#[tokio::test]
async fn a_run_that_wakes_up_late_changes_nothing_and_gives_its_successors_receipt() {
    let world = world();
    let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
    let slow = world.idempotency.run_once(&task, OnUnknown::Retry, |hold| {
        let world = &world;
        async move {
            world.clock.advance(LEASE);
            world.once(OnUnknown::Retry, Ok).await.unwrap();
            assert!(hold.extend().await.is_err(), "it is somebody else's");
            Ok("late".to_owned())
        }
    });
    let answer = slow.await.unwrap();
    assert_eq!(answer, CompletedEffect { receipt: "receipt 1".into(), is_replay: true });
    assert!(matches!(world.status().await, Status::Completed { receipt, .. } if receipt == "receipt 1"));
}

#[tokio::test]
async fn a_late_give_up_undoes_nothing() {
    let world = world();
    let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
    let slow = world.idempotency.run_once(&task, OnUnknown::Retry, |_| async {
        world.clock.advance(LEASE);
        world.once(OnUnknown::Retry, Ok).await.unwrap();
        Err(EffectError::NotDone(anyhow::anyhow!("full")))
    });
    assert!(slow.await.is_err());
    assert!(matches!(world.status().await, Status::Completed { .. }));
}

#[tokio::test]
async fn a_claim_can_be_held_for_longer() {
    let world = world();
    let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
    let long = world.idempotency.run_once(&task, OnUnknown::Block, |hold| {
        let world = &world;
        async move {
            for _ in 0..3 {
                world.clock.advance(LEASE - SignedDuration::from_secs(1));
                hold.extend().await?;
            }
            assert!(matches!(world.once(OnUnknown::Block, Ok).await, Err(Failure::Leased { .. })));
            Ok("long".to_owned())
        }
    });
    assert_eq!(long.await.unwrap().receipt, "long");
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn without_a_record_nothing_old_is_carried_out() {
    let world = world();
    world.clock.advance(HORIZON);
    let failure = world.once(OnUnknown::Retry, Ok).await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)) && failure.to_string().contains("by hand"), "{failure}");
    assert_eq!(world.effects(), 0);
}
