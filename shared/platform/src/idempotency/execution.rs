//! One attempt to execute an effect, as a state machine without I/O.
//!
//! A [`Step`] is the next call of an attempt, and the answer to that call leads to the next step.
//! [`Idempotency::run_once`](super::Idempotency::run_once) makes the calls in a loop; the model checker (`tests/model`)
//! makes them one by one and interrupts the attempt in between.

use anyhow::anyhow;
use domain::Attempt;
use domain::claim::{Claim, Decision, Intent, Outcome, Policy, Refusal, decide};
use jiff::Timestamp;

use super::metrics::EffectEvent;
use super::{EffectError, Key, Task};
use crate::failure::Failure;

/// The result of an effect that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedEffect {
    /// The receipt of the effect, which is the same for every request.
    pub receipt: String,
    /// Whether the effect had been done by an earlier request.
    pub is_replay: bool,
}

/// What does not change during an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Execution<'a> {
    /// The requested effect.
    pub task: &'a Task,
    /// What to do if the outcome of an earlier attempt is unknown.
    pub policy: Policy,
}

/// The next call of an attempt, until the effect has been executed, or will not be.
#[derive(Debug)]
pub enum Step {
    /// Read the claim: [`Execution::after_read`].
    Read,
    /// Write `claim`, which has the lease, in place of `previous`: [`Execution::after_acquisition`].
    Acquire {
        /// The claim that was read.
        previous: Option<Claim>,
        /// The claim to write.
        claim: Claim,
        /// Whether the outcome of earlier attempts has to be determined first.
        must_reconcile: bool,
    },
    /// Ask the external system for the outcome of earlier attempts: [`Execution::after_reconciliation`].
    Reconcile(Claim),
    /// Execute the effect under this claim: [`Execution::after_effect`].
    Execute(Claim),
    /// Conclude the attempt: it does not execute the effect any more.
    Conclude(Conclusion),
}

/// The next call of an attempt that has executed the effect, or will not execute it.
#[derive(Debug)]
pub enum Conclusion {
    /// Record that the effect is done: [`Execution::after_completion`].
    Complete(Completion),
    /// Read the claim of the attempt that has taken over the lease: [`Execution::after_takeover`].
    ReadAgain,
    /// Release the lease, so that the next attempt need not wait until it expires. It ends the attempt with the
    /// failure, whatever its result.
    Release {
        /// The claim to replace.
        held: Claim,
        /// The claim to write.
        released: Claim,
        /// The reason, with which the attempt ends.
        failure: Failure,
    },
    /// End the attempt.
    End(Result<CompletedEffect, Failure>),
}

/// A write of the claim which records that the effect is done, on condition that the lease is still held.
#[derive(Debug)]
pub struct Completion {
    /// The claim to replace.
    pub held: Claim,
    /// The claim to write.
    pub completed: Claim,
    effect: CompletedEffect,
}

/// What an answer leads to.
#[derive(Debug)]
pub struct Transition<N> {
    /// The next call.
    pub next: N,
    /// What the answer counts as in the metrics.
    event: Option<EffectEvent>,
}

impl<N> Transition<N> {
    fn new(event: impl Into<Option<EffectEvent>>, next: N) -> Self {
        Self { next, event: event.into() }
    }

    /// Writes the log line of the event, and returns the next call.
    pub(super) fn log(self, key: &Key) -> N {
        if let Some(event) = self.event {
            event.log(key);
        }
        self.next
    }
}

impl Transition<Conclusion> {
    fn end(result: Result<CompletedEffect, Failure>) -> Self {
        Self::new(None, Conclusion::End(result))
    }
}

impl From<Transition<Conclusion>> for Transition<Step> {
    fn from(Transition { next, event }: Transition<Conclusion>) -> Self {
        Self { next: Step::Conclude(next), event }
    }
}

impl Execution<'_> {
    /// Decides whether `attempt` may execute the effect, given the stored claim.
    pub fn after_read(&self, stored: anyhow::Result<Option<Claim>>, attempt: &Attempt) -> Transition<Step> {
        let previous = match stored {
            Ok(stored) => stored,
            Err(error) => return Transition::end(Err(error.into())).into(),
        };
        let (claim, must_reconcile) = match self.decide(previous.as_ref(), attempt) {
            Decision::Execute(claim) => (claim, false),
            Decision::Reconcile(claim) => (claim, true),
            decided => return self.result_of(decided).into(),
        };
        Transition::new(None, Step::Acquire { previous, claim, must_reconcile })
    }

    /// Continues after the claim was written: `Ok(false)` if it had changed since it was read.
    pub fn after_acquisition(
        &self,
        claim: Claim,
        must_reconcile: bool,
        written: anyhow::Result<bool>,
        now: Timestamp,
    ) -> Transition<Step> {
        match written {
            Ok(true) => {}
            Ok(false) => {
                let failure = self.retry("another worker claimed it first");
                return Transition::new(EffectEvent::InProgress, Conclusion::End(Err(failure))).into();
            }
            Err(error) => return Transition::end(Err(error.into())).into(),
        }
        let event = match self.policy {
            _ if claim.unknown_outcomes == 0 => EffectEvent::Claimed,
            Policy::Retry => EffectEvent::UnknownRetried,
            Policy::Block => EffectEvent::UnknownBlocked,
            Policy::Reconcile => EffectEvent::UnknownReconciled,
        };
        let next = if must_reconcile { Step::Reconcile(claim) } else { self.start(claim, now) };
        Transition::new(event, next)
    }

    /// Continues after the external system was asked for the outcome of earlier attempts.
    pub fn after_reconciliation(
        &self,
        claim: Claim,
        outcome: anyhow::Result<Outcome>,
        now: Timestamp,
    ) -> Step {
        let failure = match outcome {
            Ok(Outcome::Done { receipt }) => {
                return Step::Conclude(complete(claim, CompletedEffect { receipt, is_replay: true }, now));
            }
            Ok(Outcome::NotDone) => return self.start(claim.reconciled(), now),
            Ok(Outcome::Unknown) => self.retry("the outcome of an earlier run is still unknown"),
            Err(error) => self.retry_after(error, "the outcome of an earlier run could not be determined"),
        };
        Step::Conclude(Conclusion::End(Err(failure)))
    }

    /// Starts the effect, unless the lease has expired: another attempt may take over an expired one.
    fn start(&self, claim: Claim, now: Timestamp) -> Step {
        if claim.lease().is_none_or(|lease| lease.expires_at <= now) {
            Step::Conclude(release(claim, self.retry("the lease expired before the effect was started"), now))
        } else {
            Step::Execute(claim)
        }
    }

    /// Concludes after the effect. `claim` is the one that is held after it.
    pub fn after_effect(
        claim: Claim,
        result: Result<String, EffectError>,
        now: Timestamp,
    ) -> Transition<Conclusion> {
        let next = match result {
            Ok(receipt) => complete(claim, CompletedEffect { receipt, is_replay: false }, now),
            Err(EffectError::NotDone(error)) => release(claim, Failure::Retry(error), now),
            Err(EffectError::Refused(error)) => release(claim, Failure::Reject(error), now),
            Err(EffectError::Unknown(error)) => {
                return Transition::new(EffectEvent::Unknown, Conclusion::End(Err(Failure::Retry(error))));
            }
        };
        Transition::new(None, next)
    }

    /// Concludes after the completion was written: `Ok(false)` if the lease had been lost. Then the record of the
    /// new lease holder counts, so that every request returns the same receipt.
    pub fn after_completion(
        &self,
        completion: Completion,
        written: anyhow::Result<bool>,
    ) -> Transition<Conclusion> {
        match written {
            Ok(true) => Transition::new(EffectEvent::Completed, Conclusion::End(Ok(completion.effect))),
            Ok(false) => Transition::new(EffectEvent::Lost, Conclusion::ReadAgain),
            Err(error) => {
                let failure =
                    self.retry_after(error, "it was done, but the completion could not be recorded");
                Transition::new(EffectEvent::Unknown, Conclusion::End(Err(failure)))
            }
        }
    }

    /// Ends an attempt that had lost its lease, with what is stored now. `attempt` is another one than that which
    /// executed the effect.
    pub fn after_takeover(
        &self,
        stored: anyhow::Result<Option<Claim>>,
        attempt: &Attempt,
    ) -> Transition<Conclusion> {
        match stored {
            Ok(stored) => self.result_of(self.decide(stored.as_ref(), attempt)),
            Err(error) => Transition::end(Err(error.into())),
        }
    }

    fn decide(&self, stored: Option<&Claim>, attempt: &Attempt) -> Decision {
        let Task { fingerprint, since, .. } = self.task;
        decide(stored, &Intent { fingerprint, requested_at: *since, policy: self.policy }, attempt)
    }

    /// The result of a decision not to execute the effect.
    fn result_of(&self, decision: Decision) -> Transition<Conclusion> {
        let (event, result) = match decision {
            Decision::Done { receipt } => {
                (EffectEvent::Duplicate, Ok(CompletedEffect { receipt, is_replay: true }))
            }
            Decision::Wait { until } => (EffectEvent::InProgress, Err(Failure::Leased { until })),
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
                let key = &self.task.key;
                (event, Err(Failure::reject(format!("{key}: {refusal}. It was not executed: {advice}"))))
            }
            // The attempt had lost its lease, and the claim is open again.
            Decision::Execute(_) | Decision::Reconcile(_) => {
                return Transition::end(Err(self.retry("the lease was lost")));
            }
        };
        Transition::new(event, Conclusion::End(result))
    }

    fn retry(&self, why: &str) -> Failure {
        Failure::retry(anyhow!("{}: {why}", self.task.key))
    }

    fn retry_after(&self, error: anyhow::Error, why: &str) -> Failure {
        Failure::Retry(error.context(format!("{}: {why}", self.task.key)))
    }
}

fn complete(held: Claim, effect: CompletedEffect, now: Timestamp) -> Conclusion {
    match held.with_outcome(Outcome::Done { receipt: effect.receipt.clone() }, now) {
        Some(completed) => Conclusion::Complete(Completion { held, completed, effect }),
        None => Conclusion::End(Ok(effect)),
    }
}

fn release(held: Claim, failure: Failure, now: Timestamp) -> Conclusion {
    match held.with_outcome(Outcome::NotDone, now) {
        Some(released) => Conclusion::Release { held, released, failure },
        None => Conclusion::End(Err(failure)),
    }
}
