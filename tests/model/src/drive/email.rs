//! `send-email`: the shipped [`Execution`] with the policy of `lambdas/notifications/src/send.rs`, one call per step.

use anyhow::anyhow;
use domain::claim::Claim;
use jiff::Timestamp;
use notifications::send::ON_UNKNOWN;
use platform::Failure;
use platform::idempotency::EffectError;
use platform::idempotency::execution::{Conclusion, Execution, Step};

use super::{Next, Protocol};
use crate::action::Fault;
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::state::{Attempt, ClaimRow, EventKind, Owner, Saga, Work};

impl Protocol {
    /// Allows one more copy of an email, which the protocol cannot prevent.
    pub(super) fn allow_duplicate(&self, saga: &mut Saga, event: EventKind) {
        if let Some(kind) = self.fixture.email(event) {
            let email = &mut saga.emails[kind.index()];
            email.allowed_duplicates = email.allowed_duplicates.saturating_add(1);
        }
    }

    fn execution(&self) -> Execution<'_> {
        Execution { task: self.fixture.email_task(), policy: ON_UNKNOWN.policy() }
    }

    /// The owner of the claim that blocks a new attempt, if one does.
    pub(super) fn blocking_email_owner(&self, saga: &Saga, event: EventKind) -> Option<Owner> {
        let claim = saga.emails[self.fixture.email(event)?.index()].claim?;
        match self.step_after_read(Some(claim), Owner::MAX, self.fixture.while_leased()) {
            Step::Conclude(Conclusion::End(Err(Failure::Leased { .. }))) => {
                claim.claimed.map(|(owner, _)| owner)
            }
            _ => None,
        }
    }

    fn step_after_read(&self, stored: Option<ClaimRow>, owner: Owner, now: Timestamp) -> Step {
        let stored = stored.map(|row| self.fixture.claim(row));
        self.execution().after_read(Ok(stored), &self.fixture.attempt(owner, now)).next
    }

    pub(super) fn read_for_email(&self, saga: &Saga, attempt: &Attempt, lease_expired: bool) -> Next {
        let Some(kind) = self.fixture.email(attempt.message.event) else { return Next::refused() };
        let now = if lease_expired { self.fixture.after_leases() } else { self.fixture.while_leased() };
        continue_email(self.step_after_read(saga.emails[kind.index()].claim, attempt.owner, now))
    }

    /// Makes the next call of `send-email`.
    pub(super) fn send_email(&self, saga: &mut Saga, attempt: &Attempt, fault: Fault) -> Next {
        let Some(kind) = self.fixture.email(attempt.message.event) else { return Next::refused() };
        let at = kind.index();
        let now = self.fixture.while_leased();
        let held = |version| self.fixture.claim(ClaimRow { version, claimed: Some((attempt.owner, false)) });
        match attempt.work {
            Work::AcquireClaim { read } => {
                let claim = held(read.saturating_add(1));
                let written = self.write_claim(saga, at, read, &claim, None);
                // An attempt that stalled before it wrote the claim finds the new lease expired.
                let now = if attempt.is_stalled { self.fixture.after_leases() } else { now };
                continue_email(self.execution().after_acquisition(claim, false, Ok(written), now).next)
            }
            Work::SendEmail { version } => {
                let result = self.send(saga, at, attempt, fault);
                conclude_email(Execution::after_effect(held(version), result, now).next)
            }
            Work::CompleteClaim { version } => {
                let sent = Ok(RECEIPT.to_owned());
                let Conclusion::Complete(completion) = Execution::after_effect(held(version), sent, now).next
                else {
                    return Next::refused();
                };
                let unless = Some(Mutation::UnconditionalCompletion);
                let written = self.write_claim(saga, at, version, &completion.completed, unless);
                conclude_email(self.execution().after_completion(completion, Ok(written)).next)
            }
            Work::ReleaseClaim { version } => {
                let not_sent = Err(EffectError::NotDone(anyhow!("throttled")));
                let Conclusion::Release { released, failure, .. } =
                    Execution::after_effect(held(version), not_sent, now).next
                else {
                    return Next::refused();
                };
                self.write_claim(saga, at, version, &released, Some(Mutation::UnconditionalRelease));
                Next::Failed(failure)
            }
            Work::ReadClaimAgain => {
                let stored = saga.emails[at].claim.map(|row| self.fixture.claim(row));
                let other = self.fixture.attempt(Owner::MAX, now);
                conclude_email(self.execution().after_takeover(Ok(stored), &other).next)
            }
            _ => Next::refused(),
        }
    }

    /// Sends the email. If the request is lost, SES has rejected it because of throttling, so the email was not sent.
    fn send(
        &self,
        saga: &mut Saga,
        at: usize,
        attempt: &Attempt,
        fault: Fault,
    ) -> Result<String, EffectError> {
        if fault == Fault::LostRequest {
            return Err(EffectError::NotDone(anyhow!("throttled")));
        }
        let email = &mut saga.emails[at];
        email.sent = email.sent.saturating_add(1);
        if fault != Fault::None || attempt.is_stalled {
            self.allow_duplicate(saga, attempt.message.event);
        }
        match fault {
            Fault::LostResponse => Err(EffectError::Unknown(anyhow!("no response"))),
            _ => Ok(RECEIPT.to_owned()),
        }
    }

    /// Writes on the condition that the stored claim has the version that was read, which a mutation drops.
    fn write_claim(
        &self,
        saga: &mut Saga,
        at: usize,
        read: u8,
        claim: &Claim,
        unless: Option<Mutation>,
    ) -> bool {
        let before = saga.emails[at].claim;
        let is_unconditional = unless.is_some_and(|mutation| self.has_mutation(mutation));
        if before.map_or(0, |claim| claim.version) != read && !is_unconditional {
            return false;
        }
        saga.history.final_state_changed |= before.is_some_and(|before| before.claimed.is_none());
        saga.emails[at].claim = Some(Fixture::claim_row(claim));
        true
    }
}

/// The receipt of every email.
const RECEIPT: &str = "receipt";

/// Continues an attempt up to its next call.
fn continue_email(step: Step) -> Next {
    match step {
        Step::Acquire { previous, .. } => {
            Next::Continue(Work::AcquireClaim { read: previous.as_ref().map_or(0, version) })
        }
        Step::Execute(claim) => Next::Continue(Work::SendEmail { version: version(&claim) }),
        Step::Conclude(conclusion) => conclude_email(conclusion),
        // The claim has been read, and the policy of emails does not ask SES.
        Step::Read | Step::Reconcile(_) => Next::refused(),
    }
}

fn conclude_email(conclusion: Conclusion) -> Next {
    Next::Continue(match conclusion {
        Conclusion::Complete(completion) => Work::CompleteClaim { version: version(&completion.held) },
        Conclusion::Release { held, .. } => Work::ReleaseClaim { version: version(&held) },
        Conclusion::ReadAgain => Work::ReadClaimAgain,
        Conclusion::End(Ok(_)) => return Next::Done,
        Conclusion::End(Err(failure)) => return Next::Failed(failure),
    })
}

fn version(claim: &Claim) -> u8 {
    u8::try_from(claim.version).unwrap_or(u8::MAX)
}
