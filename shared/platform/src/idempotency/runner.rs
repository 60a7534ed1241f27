//! Makes the calls of an [`Execution`], and the effect.

use std::sync::{Arc, Mutex};

use domain::Attempt;
use domain::claim::{Claim, DEFAULT_LEASE_DURATION, RECORD_LIFETIME};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::execution::{CompletedEffect, Completion, Conclusion, Execution, Step};
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
        let execution = Execution { task, policy: on_unknown.policy() };
        let owner = self.clock.new_id();
        let mut step = Step::Read;
        let conclusion = loop {
            step = match step {
                Step::Read => {
                    let stored = self.store.get(&task.key).await;
                    execution.after_read(stored, &self.attempt(owner)).log(&task.key)
                }
                Step::Acquire { previous, claim, must_reconcile } => {
                    let written = self.write(&task.key, previous.as_ref(), &claim).await;
                    let now = self.clock.now();
                    execution.after_acquisition(claim, must_reconcile, written, now).log(&task.key)
                }
                Step::Reconcile(claim) => {
                    let outcome = on_unknown.outcome(&task.key).await;
                    execution.after_reconciliation(claim, outcome, self.clock.now())
                }
                Step::Execute(claim) => {
                    let handle = LeaseHandle {
                        idempotency: self.clone(),
                        key: task.key.clone(),
                        owner,
                        claim: Arc::new(Mutex::new(claim)),
                    };
                    let result = effect(handle.clone()).await;
                    break Execution::after_effect(handle.claim(), result, self.clock.now()).log(&task.key);
                }
                Step::Conclude(conclusion) => break conclusion,
            };
        };
        self.conclude(execution, conclusion).await
    }

    async fn conclude(
        &self,
        execution: Execution<'_>,
        mut conclusion: Conclusion,
    ) -> Result<CompletedEffect, Failure> {
        let key = &execution.task.key;
        loop {
            conclusion = match conclusion {
                Conclusion::Complete(completion) => {
                    let written = self.complete(key, &completion).await;
                    execution.after_completion(completion, written).log(key)
                }
                Conclusion::ReadAgain => {
                    let stored = self.store.get(key).await;
                    execution.after_takeover(stored, &self.attempt(self.clock.new_id())).log(key)
                }
                Conclusion::Release { held, released, failure } => {
                    self.release(key, &held, &released).await;
                    return Err(failure);
                }
                Conclusion::End(result) => return result,
            };
        }
    }

    fn attempt(&self, owner: Uuid) -> Attempt {
        Attempt { owner, now: self.clock.now(), lease_duration: self.lease }
    }

    /// Records that the effect is done. Returns `false` if the lease had been lost.
    async fn complete(&self, key: &Key, completion: &Completion) -> anyhow::Result<bool> {
        let mut written = Ok(false);
        for _ in 0..MAX_COMPLETION_WRITES {
            written = self.write(key, Some(&completion.held), &completion.completed).await;
            if written.is_ok() {
                break;
            }
        }
        written
    }

    /// Releases the lease, so that others can acquire it at once. If that fails, they wait until it expires.
    async fn release(&self, key: &Key, held: &Claim, released: &Claim) {
        EffectEvent::NotDone.log(key);
        match self.write(key, Some(held), released).await {
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
