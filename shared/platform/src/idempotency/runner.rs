//! Carries out what [`domain::claim`] decides.

use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use domain::Attempt;
use domain::claim::{Claim, Decision, Intent, LEASE, Outcome, Policy, RECORD_LIFETIME, Refusal, decide};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::metrics::EffectEvent;
use super::{EffectError, IdempotencyStore, Key, OnUnknown, Task};
use crate::clock::Clock;
use crate::handler::Failure;
use crate::memory::lock;

/// How often the completion is written before it is given up: a failure there may mean a second effect.
const MAX_COMPLETION_WRITES: usize = 2;

/// Carries out effects once.
#[derive(Clone)]
pub struct Idempotency {
    store: Arc<dyn IdempotencyStore>,
    clock: Arc<dyn Clock>,
    lease: SignedDuration,
}

/// An effect that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedEffect {
    /// What came of it. The same for all who ask.
    pub receipt: String,
    /// Whether it had been done before.
    pub is_replay: bool,
}

impl Idempotency {
    /// With the claims in `store`, each for [`LEASE`].
    pub fn new(store: Arc<dyn IdempotencyStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, lease: LEASE }
    }

    /// With claims that last for `lease`, which has to be longer than the function runs.
    #[must_use]
    pub fn with_lease(self, lease: SignedDuration) -> Self {
        Self { lease, ..self }
    }

    /// Carries out `effect`, or gives back the receipt that it left before.
    ///
    /// The effect gives back its receipt: what the outside calls it, or a small result as text (a row of the store
    /// holds at most 400 KB). It is given the [`LeaseHandle`] on its claim, for effects that outlast a lease.
    ///
    /// # Errors
    /// [`Failure::Leased`] while another run may be at it. [`Failure::Reject`] for what a person has to look at: the
    /// effect was refused, the payload is another, it is asked for too late, or its outcome is unknown and
    /// `on_unknown` is [`OnUnknown::Block`]. [`Failure::Retry`] for all else.
    pub async fn run_once<E, F>(&self, task: &Task, on_unknown: OnUnknown<'_>, effect: E) -> Result<CompletedEffect, Failure>
    where
        E: FnOnce(LeaseHandle) -> F + Send,
        F: Future<Output = Result<String, EffectError>> + Send,
    {
        let owner = self.clock.new_id();
        let read = self.store.get(&task.key).await?;
        let (claim, ask) = match self.decide(read.as_ref(), task, on_unknown, owner) {
            Decision::CarryOut(claim) => (claim, false),
            Decision::Reconcile(claim) => (claim, true),
            settled => return self.settled(task, settled),
        };
        if !self.write(&task.key, read.as_ref(), &claim).await? {
            EffectEvent::InProgress.log(&task.key);
            return Err(Failure::retry(anyhow!("{}: somebody else was faster to claim it", task.key)));
        }
        let noted = match on_unknown {
            _ if claim.unknown == 0 => EffectEvent::Claimed,
            OnUnknown::Retry => EffectEvent::UnknownRetried,
            OnUnknown::Block => EffectEvent::UnknownBlocked,
            OnUnknown::Reconcile(_) => EffectEvent::UnknownReconciled,
        };
        noted.log(&task.key);
        let mut claim = claim;
        if let (true, OnUnknown::Reconcile(reconciler)) = (ask, on_unknown) {
            match reconciler.outcome(&task.key).await {
                Ok(Outcome::Done { receipt }) => {
                    let done = self.complete(task, on_unknown, &claim, receipt).await?;
                    return Ok(CompletedEffect { is_replay: true, ..done });
                }
                Ok(Outcome::NotDone) => claim = claim.reconciled(),
                Ok(Outcome::Unknown) => {
                    return Err(Failure::retry(anyhow!(
                        "{}: whether it happened is not known yet",
                        task.key
                    )));
                }
                Err(error) => {
                    return Err(Failure::Retry(
                        error.context(format!("{}: nobody could be asked whether it happened", task.key)),
                    ));
                }
            }
        }
        // Whoever comes next may take a claim over that has ended, so nothing is begun under one.
        if claim.lease().is_none_or(|lease| lease.expires_at <= self.clock.now()) {
            self.release(&task.key, &claim).await;
            return Err(Failure::retry(anyhow!("{}: the claim ended before the effect was begun", task.key)));
        }
        let hold = LeaseHandle {
            idempotency: self.clone(),
            key: task.key.clone(),
            owner,
            claim: Arc::new(Mutex::new(claim)),
        };
        let outcome = effect(hold.clone()).await;
        let claim = hold.claim();
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
        Attempt { owner, now: self.clock.now(), lease_for: self.lease }
    }

    fn decide(&self, read: Option<&Claim>, task: &Task, on_unknown: OnUnknown<'_>, owner: Uuid) -> Decision {
        let policy = match on_unknown {
            OnUnknown::Retry => Policy::Retry,
            OnUnknown::Block => Policy::Block,
            OnUnknown::Reconcile(_) => Policy::Reconcile,
        };
        let intent = Intent { fingerprint: &task.fingerprint, since: task.since, policy };
        decide(read, &intent, &self.attempt(owner))
    }

    /// What is to be answered where nothing is to be done.
    fn settled(&self, task: &Task, decision: Decision) -> Result<CompletedEffect, Failure> {
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
                let (noted, advice) = match refusal {
                    Refusal::PayloadMismatch => (
                        EffectEvent::Mismatch,
                        "find out which payload is right: if it is this one and the effect has not happened, \
                         remove the row of the key and redrive; if not, discard this message",
                    ),
                    Refusal::UnknownOutcome => (
                        EffectEvent::UnknownBlocked,
                        "look whether it happened: if it has, discard this message; if it has not, remove the \
                         row of the key and redrive",
                    ),
                    Refusal::TooLate => (
                        EffectEvent::TooLate,
                        "look whether it happened: if it has not and still should, do it by hand; then discard \
                         this message",
                    ),
                };
                noted.log(key);
                Err(Failure::reject(format!("{key}: {refusal}. It was not carried out: {advice}")))
            }
            // What is to be done is no answer.
            Decision::CarryOut(_) | Decision::Reconcile(_) => {
                Err(Failure::retry(anyhow!("{key}: the claim on it was lost")))
            }
        }
    }

    /// Notes that the effect is done, on condition that the claim is still held.
    async fn complete(
        &self,
        task: &Task,
        on_unknown: OnUnknown<'_>,
        claim: &Claim,
        receipt: String,
    ) -> Result<CompletedEffect, Failure> {
        let outcome = Outcome::Done { receipt: receipt.clone() };
        let Some(done) = claim.after(outcome, self.clock.now()) else {
            return Err(Failure::retry(anyhow!("{}: its completion could not be made", task.key)));
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
                // Its successor's word counts, so that all who ask get the same receipt.
                EffectEvent::Lost.log(&task.key);
                let read = self.store.get(&task.key).await?;
                let decision = self.decide(read.as_ref(), task, on_unknown, self.clock.new_id());
                self.settled(task, decision)
            }
            Err(error) => {
                EffectEvent::Unknown.log(&task.key);
                Err(Failure::Retry(
                    error.context(format!("{}: that it was done could not be noted", task.key)),
                ))
            }
        }
    }

    /// Lets others have the claim at once. Where that fails they wait until it ends.
    async fn release(&self, key: &Key, claim: &Claim) {
        EffectEvent::NotDone.log(key);
        let Some(released) = claim.after(Outcome::NotDone, self.clock.now()) else { return };
        match self.write(key, Some(claim), &released).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(%key, "the claim is somebody else's by now and was left to them");
            }
            Err(error) => {
                tracing::warn!(%key, error = %format!("{error:#}"), "the claim could not be given up");
            }
        }
    }

    /// Writes `next` in place of `previous`. Where the answer was lost, or the client asked twice and the second
    /// answer tells of the first write, what is there tells: every write is told from every other by its owner
    /// and version.
    async fn write(&self, key: &Key, previous: Option<&Claim>, next: &Claim) -> anyhow::Result<bool> {
        let expires_at = self.clock.now().saturating_add(RECORD_LIFETIME).unwrap_or(Timestamp::MAX);
        let answer = self.store.write(key, previous, next, expires_at).await;
        if matches!(answer, Ok(true)) {
            return answer;
        }
        match self.store.get(key).await {
            Ok(Some(there)) if there == *next => Ok(true),
            _ => answer,
        }
    }
}

/// A claim that is held while its effect is carried out.
#[derive(Clone)]
pub struct LeaseHandle {
    idempotency: Idempotency,
    key: Key,
    owner: Uuid,
    claim: Arc<Mutex<Claim>>,
}

impl LeaseHandle {
    /// Holds the claim for another lease, from now on.
    ///
    /// # Errors
    /// When the claim is somebody else's by now, or nobody knows. The effect should end then: give the error back as
    /// [`EffectError::NotDone`] where nothing has happened yet, and as [`EffectError::Unknown`] otherwise.
    pub async fn extend(&self) -> anyhow::Result<()> {
        let held = self.claim();
        let extended = held.extended(&self.idempotency.attempt(self.owner));
        let written = self.idempotency.write(&self.key, Some(&held), &extended).await?;
        anyhow::ensure!(written, "{}: the claim on it was lost", self.key);
        *lock(&self.claim) = extended;
        Ok(())
    }

    fn claim(&self) -> Claim {
        lock(&self.claim).clone()
    }
}
