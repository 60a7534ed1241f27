//! The idempotency runner with an in-memory store: how often effects are executed, and what requests return.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::claim::{Claim, DEFAULT_LEASE_DURATION, MAX_REQUEST_AGE, Outcome, RECORD_LIFETIME, Status};
use jiff::{SignedDuration, Timestamp};
use platform::idempotency::{
    CompletedEffect, EffectError, Idempotency, IdempotencyStore, InMemoryIdempotencyStore, Key, LeaseHandle,
    OnUnknown, Reconciler, Task,
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
    /// Requests the effect, whose result is that of `then`.
    async fn request(
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
    Err(anyhow::anyhow!("no response").into())
}

#[tokio::test]
async fn a_duplicate_request_returns_the_receipt() {
    let world = world();
    let first = world.request(OnUnknown::Block, Ok).await.unwrap();
    assert_eq!(first, CompletedEffect { receipt: "receipt 1".into(), is_replay: false });
    let second = world.request(OnUnknown::Block, Ok).await.unwrap();
    assert_eq!(second, CompletedEffect { receipt: "receipt 1".into(), is_replay: true });
    assert_eq!(world.effects(), 1);
    let (_, expires_at) = world.claims.claims()[&key()].clone();
    assert_eq!(expires_at, Timestamp::UNIX_EPOCH + RECORD_LIFETIME);
}

#[tokio::test]
async fn an_effect_that_did_not_happen_can_be_retried_at_once() {
    let world = world();
    let refused =
        world.request(OnUnknown::Block, |_| Err(EffectError::Refused(anyhow::anyhow!("no right")))).await;
    assert!(matches!(refused, Err(Failure::Reject(_))));
    let failed =
        world.request(OnUnknown::Block, |_| Err(EffectError::NotDone(anyhow::anyhow!("full")))).await;
    assert!(matches!(failed, Err(Failure::Retry(_))));
    assert!(!world.request(OnUnknown::Block, Ok).await.unwrap().is_replay);
}

#[tokio::test]
async fn an_unknown_outcome_needs_manual_intervention_if_it_blocks() {
    let world = world();
    assert!(matches!(world.request(OnUnknown::Block, unknown).await, Err(Failure::Retry(_))));
    let Err(Failure::Leased { until }) = world.request(OnUnknown::Block, Ok).await else {
        panic!("the lease has not expired")
    };
    assert_eq!(until, Timestamp::UNIX_EPOCH + DEFAULT_LEASE_DURATION);
    world.clock.advance(DEFAULT_LEASE_DURATION);
    for _ in 0..3 {
        let failure = world.request(OnUnknown::Block, Ok).await.unwrap_err();
        assert!(matches!(failure, Failure::Reject(_)));
        let message = failure.to_string();
        assert!(message.contains("export of o-1") && message.contains("remove the row"), "{message}");
    }
    assert_eq!(world.effects(), 1);
    // An operator has found that it did not happen.
    world.claims.remove(&key());
    assert_eq!(world.request(OnUnknown::Block, Ok).await.unwrap().receipt, "receipt 2");
}

#[tokio::test]
async fn an_unknown_outcome_is_retried_if_configured() {
    let world = world();
    world.request(OnUnknown::Retry, unknown).await.unwrap_err();
    world.clock.advance(DEFAULT_LEASE_DURATION);
    assert_eq!(world.request(OnUnknown::Retry, Ok).await.unwrap().receipt, "receipt 2");
}

/// An external system that returns this outcome.
struct External(Outcome);

#[async_trait]
impl Reconciler for External {
    async fn outcome(&self, asked: &Key) -> anyhow::Result<Outcome> {
        assert_eq!(*asked, key());
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_reconciled_with_the_external_system() {
    let done = External(Outcome::Done { receipt: "found".into() });
    let cases = [
        (done, 1, Some("found")),
        (External(Outcome::NotDone), 2, Some("receipt 2")),
        (External(Outcome::Unknown), 1, None),
    ];
    for (external, effects, receipt) in cases {
        let world = world();
        world.request(OnUnknown::Reconcile(&external), unknown).await.unwrap_err();
        world.clock.advance(DEFAULT_LEASE_DURATION);
        let result = world.request(OnUnknown::Reconcile(&external), Ok).await;
        assert_eq!(result.as_ref().ok().map(|done| done.receipt.as_str()), receipt);
        assert_eq!(world.effects(), effects);
        match result {
            Ok(_) => assert!(matches!(world.status().await, Status::Completed { .. })),
            Err(failure) => {
                assert!(matches!(failure, Failure::Retry(_)));
                let again = world.request(OnUnknown::Reconcile(&external), Ok).await;
                assert!(
                    matches!(again, Err(Failure::Leased { .. })),
                    "not asked again before the lease expires"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_write_whose_response_is_lost_is_read_back() {
    let world = world();
    world.claims.lost_responses.fail_next(2);
    assert!(
        !world.request(OnUnknown::Block, Ok).await.unwrap().is_replay,
        "claim and completion were written"
    );
    assert_eq!(world.effects(), 1);
}

#[tokio::test]
async fn the_completion_is_written_with_one_retry() {
    let world = world();
    let fail = |times| {
        let claims = Arc::clone(&world.claims);
        move |receipt| {
            claims.write_failures.fail_next(times);
            Ok(receipt)
        }
    };
    world.request(OnUnknown::Block, fail(1)).await.unwrap();
    world.claims.remove(&key());
    assert!(matches!(world.request(OnUnknown::Block, fail(2)).await, Err(Failure::Retry(_))));
    assert!(matches!(world.status().await, Status::InProgress { .. }), "the policy decides");
}

#[tokio::test]
async fn a_run_that_lost_its_lease_returns_the_receipt_of_the_new_holder() {
    let world = world();
    let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
    let slow = world.idempotency.run_once(&task, OnUnknown::Retry, |handle| {
        let world = &world;
        async move {
            world.clock.advance(DEFAULT_LEASE_DURATION);
            world.request(OnUnknown::Retry, Ok).await.unwrap();
            assert!(handle.extend().await.is_err(), "another worker holds the lease");
            Ok("late".to_owned())
        }
    });
    let result = slow.await.unwrap();
    assert_eq!(result, CompletedEffect { receipt: "receipt 1".into(), is_replay: true });
    assert!(matches!(world.status().await, Status::Completed { receipt, .. } if receipt == "receipt 1"));
}

#[tokio::test]
async fn releasing_a_lost_lease_changes_nothing() {
    let world = world();
    let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
    let slow = world.idempotency.run_once(&task, OnUnknown::Retry, |_| async {
        world.clock.advance(DEFAULT_LEASE_DURATION);
        world.request(OnUnknown::Retry, Ok).await.unwrap();
        Err(EffectError::NotDone(anyhow::anyhow!("full")))
    });
    assert!(slow.await.is_err());
    assert!(matches!(world.status().await, Status::Completed { .. }));
}

/// A store whose first write takes as long as a lease.
struct SlowStore(Arc<InMemoryIdempotencyStore>, Arc<ManualClock>);

#[async_trait]
impl IdempotencyStore for SlowStore {
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>> {
        self.0.get(key).await
    }

    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool> {
        let is_written = self.0.write(key, previous, claim, expires_at).await;
        if previous.is_none() {
            self.1.advance(DEFAULT_LEASE_DURATION);
        }
        is_written
    }
}

#[tokio::test]
async fn an_effect_is_not_started_under_an_expired_lease() {
    let mut world = world();
    let store = SlowStore(Arc::clone(&world.claims), Arc::clone(&world.clock));
    world.idempotency = Idempotency::new(Arc::new(store), Arc::clone(&world.clock) as Arc<dyn Clock>);
    let failure = world.request(OnUnknown::Block, Ok).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    assert!(failure.to_string().contains("expired before the effect was started"), "{failure}");
    assert_eq!(world.effects(), 0);
    assert!(matches!(world.status().await, Status::NotDone { .. }), "the claim is released");
    assert_eq!(world.request(OnUnknown::Block, Ok).await.unwrap().receipt, "receipt 1");
}

/// An external system whose answer takes as long as a lease, while another attempt takes over.
struct SlowExternal<'a> {
    world: &'a World,
    is_taken_over: bool,
}

#[async_trait]
impl Reconciler for SlowExternal<'_> {
    async fn outcome(&self, _: &Key) -> anyhow::Result<Outcome> {
        self.world.clock.advance(DEFAULT_LEASE_DURATION);
        if self.is_taken_over {
            let done = self.world.request(OnUnknown::Reconcile(&External(Outcome::NotDone)), Ok).await;
            assert_eq!(done.unwrap().receipt, "receipt 2");
        }
        Ok(Outcome::NotDone)
    }
}

#[tokio::test]
async fn an_effect_is_not_started_under_a_lease_that_ended_during_reconciliation() {
    for is_taken_over in [false, true] {
        let world = world();
        world.request(OnUnknown::Block, unknown).await.unwrap_err();
        world.clock.advance(DEFAULT_LEASE_DURATION);
        let slow = SlowExternal { world: &world, is_taken_over };
        let failure = world.request(OnUnknown::Reconcile(&slow), Ok).await.unwrap_err();
        assert!(failure.to_string().contains("expired before the effect was started"), "{failure}");
        assert_eq!(world.effects(), if is_taken_over { 2 } else { 1 });
        let is_completed =
            matches!(world.status().await, Status::Completed { receipt, .. } if receipt == "receipt 2");
        assert_eq!(is_completed, is_taken_over, "the claim of another attempt stays");
        let next = world.request(OnUnknown::Block, Ok).await.unwrap();
        assert_eq!(next, CompletedEffect { receipt: "receipt 2".into(), is_replay: is_taken_over });
    }
}

#[tokio::test]
async fn a_lease_can_be_extended() {
    let world = world();
    let task = Task::new(key(), &"payload", Timestamp::UNIX_EPOCH).unwrap();
    let long = world.idempotency.run_once(&task, OnUnknown::Block, |handle| {
        let world = &world;
        async move {
            for _ in 0..3 {
                world.clock.advance(DEFAULT_LEASE_DURATION - SignedDuration::from_secs(1));
                handle.extend().await?;
            }
            assert!(matches!(world.request(OnUnknown::Block, Ok).await, Err(Failure::Leased { .. })));
            Ok("long".to_owned())
        }
    });
    assert_eq!(long.await.unwrap().receipt, "long");
    assert_eq!(world.effects(), 0);
}

#[tokio::test]
async fn an_old_request_without_a_record_is_not_executed() {
    let world = world();
    world.clock.advance(MAX_REQUEST_AGE);
    let failure = world.request(OnUnknown::Retry, Ok).await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)) && failure.to_string().contains("by hand"), "{failure}");
    assert_eq!(world.effects(), 0);
}
