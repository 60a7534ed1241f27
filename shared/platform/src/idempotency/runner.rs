//! Executes the decisions of [`domain::claim`].

use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use domain::Attempt;
use domain::claim::{
    Claim, DEFAULT_LEASE_DURATION, Decision, Intent, Outcome, Policy, RECORD_LIFETIME, Refusal, decide,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::metrics::EffectEvent;
use super::{EffectError, IdempotencyStore, Key, OnUnknown, Task};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::sync::lock;

/// The number of attempts to record a completion. If all of them fail, the effect may be executed twice.
const MAX_COMPLETION_WRITES: usize = 2;

/// Executes effects idempotently.
#[derive(Clone)]
pub struct Idempotency {
    store: Arc<dyn IdempotencyStore>,
    clock: Arc<dyn Clock>,
    lease: SignedDuration,
}

/// The result of an effect that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedEffect {
    /// The receipt of the effect, which is the same for every request.
    pub receipt: String,
    /// Whether the effect had been done by an earlier request.
    pub is_replay: bool,
}

impl Idempotency {
    /// A runner with the claims in `store` and leases of [`DEFAULT_LEASE_DURATION`].
    pub fn new(store: Arc<dyn IdempotencyStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, lease: DEFAULT_LEASE_DURATION }
    }

    /// Sets the duration of leases, which has to exceed the timeout of the function.
    #[must_use]
    pub fn with_lease(self, lease: SignedDuration) -> Self {
        Self { lease, ..self }
    }

    /// Executes `effect`, or returns the receipt of an earlier execution.
    ///
    /// The effect returns its receipt: an id from the external system, or a small result as text (a row of
    /// the store holds at most 400 KB). It receives the [`LeaseHandle`] of its claim, to extend the lease if
    /// it takes longer.
    ///
    /// # Errors
    /// [`Failure::Leased`] while another run holds the lease. [`Failure::Reject`] if manual intervention is
    /// needed: the effect was refused, the payload differs, the request is too late, or the outcome is
    /// unknown and `on_unknown` is [`OnUnknown::Block`]. [`Failure::Retry`] for any other error.
    pub async fn run_once<E, F>(
        &self,
        task: &Task,
        on_unknown: OnUnknown<'_>,
        effect: E,
    ) -> Result<CompletedEffect, Failure>
    where
        E: FnOnce(LeaseHandle) -> F + Send,
        F: Future<Output = Result<String, EffectError>> + Send,
    {
        let owner = self.clock.new_id();
        let read = self.store.get(&task.key).await?;
        let (claim, must_reconcile) = match self.decide(read.as_ref(), task, on_unknown, owner) {
            Decision::Execute(claim) => (claim, false),
            Decision::Reconcile(claim) => (claim, true),
            decided => return self.result_of(task, decided),
        };
        if !self.write(&task.key, read.as_ref(), &claim).await? {
            EffectEvent::InProgress.log(&task.key);
            return Err(Failure::retry(anyhow!("{}: another worker claimed it first", task.key)));
        }
        let event = match on_unknown {
            _ if claim.unknown_outcomes == 0 => EffectEvent::Claimed,
            OnUnknown::Retry => EffectEvent::UnknownRetried,
            OnUnknown::Block => EffectEvent::UnknownBlocked,
            OnUnknown::Reconcile(_) => EffectEvent::UnknownReconciled,
        };
        event.log(&task.key);
        let mut claim = claim;
        if let (true, OnUnknown::Reconcile(reconciler)) = (must_reconcile, on_unknown) {
            match reconciler.outcome(&task.key).await {
                Ok(Outcome::Done { receipt }) => {
                    let done = self.complete(task, on_unknown, &claim, receipt).await?;
                    return Ok(CompletedEffect { is_replay: true, ..done });
                }
                Ok(Outcome::NotDone) => claim = claim.reconciled(),
                Ok(Outcome::Unknown) => {
                    return Err(Failure::retry(anyhow!(
                        "{}: the outcome of an earlier run is still unknown",
                        task.key
                    )));
                }
                Err(error) => {
                    return Err(Failure::Retry(error.context(format!(
                        "{}: the outcome of an earlier run could not be determined",
                        task.key
                    ))));
                }
            }
        }
        // Another worker may take over an expired lease, so no effect is started under one.
        if claim.lease().is_none_or(|lease| lease.expires_at <= self.clock.now()) {
            self.release(&task.key, &claim).await;
            return Err(Failure::retry(anyhow!(
                "{}: the lease expired before the effect was started",
                task.key
            )));
        }
        let handle = LeaseHandle {
            idempotency: self.clone(),
            key: task.key.clone(),
            owner,
            claim: Arc::new(Mutex::new(claim)),
        };
        let outcome = effect(handle.clone()).await;
        let claim = handle.claim();
        match outcome {
            Ok(receipt) => self.complete(task, on_unknown, &claim, receipt).await,
            Err(EffectError::NotDone(error)) => {
                self.release(&task.key, &claim).await;
                Err(Failure::Retry(error))
            }
            Err(EffectError::Refused(error)) => {
                self.release(&task.key, &claim).await;
                Err(Failure::Reject(error))
            }
            Err(EffectError::Unknown(error)) => {
                EffectEvent::Unknown.log(&task.key);
                Err(Failure::Retry(error))
            }
        }
    }

    fn attempt(&self, owner: Uuid) -> Attempt {
        Attempt { owner, now: self.clock.now(), lease_duration: self.lease }
    }

    fn decide(&self, read: Option<&Claim>, task: &Task, on_unknown: OnUnknown<'_>, owner: Uuid) -> Decision {
        let policy = match on_unknown {
            OnUnknown::Retry => Policy::Retry,
            OnUnknown::Block => Policy::Block,
            OnUnknown::Reconcile(_) => Policy::Reconcile,
        };
        let intent = Intent { fingerprint: &task.fingerprint, requested_at: task.since, policy };
        decide(read, &intent, &self.attempt(owner))
    }

    /// The result of a decision not to execute the effect.
    fn result_of(&self, task: &Task, decision: Decision) -> Result<CompletedEffect, Failure> {
        let key = &task.key;
        match decision {
            Decision::Done { receipt } => {
                EffectEvent::Duplicate.log(key);
                Ok(CompletedEffect { receipt, is_replay: true })
            }
            Decision::Wait { until } => {
                EffectEvent::InProgress.log(key);
                Err(Failure::Leased { until })
            }
            Decision::Refuse(refusal) => {
                let (event, advice) = match refusal {
                    Refusal::PayloadMismatch => (
                        EffectEvent::Mismatch,
                        "determine which payload is correct: if it is this one and the effect has not happened, \
                         remove the row of the key and redrive; if not, discard this message",
                    ),
                    Refusal::UnknownOutcome => (
                        EffectEvent::UnknownBlocked,
                        "check whether it happened: if it has, discard this message; if it has not, remove the \
                         row of the key and redrive",
                    ),
                    Refusal::TooLate => (
                        EffectEvent::TooLate,
                        "check whether it happened: if it has not and still should, do it by hand; then discard \
                         this message",
                    ),
                };
                event.log(key);
                Err(Failure::reject(format!("{key}: {refusal}. It was not executed: {advice}")))
            }
            // `complete` lost the lease, and the claim is open again.
            Decision::Execute(_) | Decision::Reconcile(_) => {
                Err(Failure::retry(anyhow!("{key}: the lease was lost")))
            }
        }
    }

    /// Records that the effect is done, on condition that the lease is still held.
    async fn complete(
        &self,
        task: &Task,
        on_unknown: OnUnknown<'_>,
        claim: &Claim,
        receipt: String,
    ) -> Result<CompletedEffect, Failure> {
        let outcome = Outcome::Done { receipt: receipt.clone() };
        let Some(done) = claim.with_outcome(outcome, self.clock.now()) else {
            return Err(Failure::retry(anyhow!("{}: the completion could not be created", task.key)));
        };
        let mut written = Ok(false);
        for _ in 0..MAX_COMPLETION_WRITES {
            written = self.write(&task.key, Some(claim), &done).await;
            if written.is_ok() {
                break;
            }
        }
        match written {
            Ok(true) => {
                EffectEvent::Completed.log(&task.key);
                Ok(CompletedEffect { receipt, is_replay: false })
            }
            Ok(false) => {
                // The record of the new lease holder counts, so that every request returns the same receipt.
                EffectEvent::Lost.log(&task.key);
                let read = self.store.get(&task.key).await?;
                let decision = self.decide(read.as_ref(), task, on_unknown, self.clock.new_id());
                self.result_of(task, decision)
            }
            Err(error) => {
                EffectEvent::Unknown.log(&task.key);
                Err(Failure::Retry(
                    error.context(format!(
                        "{}: it was done, but the completion could not be recorded",
                        task.key
                    )),
                ))
            }
        }
    }

    /// Releases the lease, so that others can acquire it at once. If that fails, they wait until it expires.
    async fn release(&self, key: &Key, claim: &Claim) {
        EffectEvent::NotDone.log(key);
        let Some(released) = claim.with_outcome(Outcome::NotDone, self.clock.now()) else { return };
        match self.write(key, Some(claim), &released).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(%key, "the lease was not released because another worker holds it");
            }
            Err(error) => {
                tracing::warn!(%key, error = %format!("{error:#}"), "the lease could not be released");
            }
        }
    }

    /// Replaces `previous` by `next`. If the response was lost, or the SDK retried a write that had
    /// succeeded, the stored claim shows whether `next` was written: owner and version identify every write.
    async fn write(&self, key: &Key, previous: Option<&Claim>, next: &Claim) -> anyhow::Result<bool> {
        let expires_at = self.clock.now().saturating_add(RECORD_LIFETIME).unwrap_or(Timestamp::MAX);
        let result = self.store.write(key, previous, next, expires_at).await;
        if matches!(result, Ok(true)) {
            return result;
        }
        match self.store.get(key).await {
            Ok(Some(stored)) if stored == *next => Ok(true),
            _ => result,
        }
    }
}

/// The lease that is held while an effect is executed.
#[derive(Clone)]
pub struct LeaseHandle {
    idempotency: Idempotency,
    key: Key,
    owner: Uuid,
    claim: Arc<Mutex<Claim>>,
}

impl LeaseHandle {
    /// Extends the lease by its full duration from now on.
    ///
    /// # Errors
    /// When another worker holds the lease, or the result of the write is unknown. The effect should then
    /// stop: return the error as [`EffectError::NotDone`] if nothing has happened yet, and as
    /// [`EffectError::Unknown`] otherwise.
    pub async fn extend(&self) -> anyhow::Result<()> {
        let held = self.claim();
        let extended = held.with_renewed_lease(&self.idempotency.attempt(self.owner));
        let written = self.idempotency.write(&self.key, Some(&held), &extended).await?;
        anyhow::ensure!(written, "{}: the lease was lost", self.key);
        *lock(&self.claim) = extended;
        Ok(())
    }

    fn claim(&self) -> Claim {
        lock(&self.claim).clone()
    }
}
