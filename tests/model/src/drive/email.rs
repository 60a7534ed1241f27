//! `send-email`: `lambdas/notifications/src/send.rs`.

use domain::claim::{Claim, Decision, Fingerprint, Intent, Policy, decide};

use super::{Next, Protocol};
use crate::action::Fault;
use crate::mutation::Mutation;
use crate::state::{Attempt, ClaimRow, Email, EventKind, Owner, Saga, Work};

/// Allows one more copy of an email, which the protocol cannot prevent.
pub(super) fn allow_duplicate(saga: &mut Saga, event: EventKind) {
    if let Some(kind) = Email::triggered_by(event) {
        let email = &mut saga.emails[kind.index()];
        email.allowed_duplicates = email.allowed_duplicates.saturating_add(1);
    }
}

impl Protocol {
    /// The owner of the claim that blocks a new attempt, if one does.
    pub(super) fn blocking_email_owner(&self, saga: &Saga, event: EventKind) -> Option<Owner> {
        let claim = saga.emails[Email::triggered_by(event)?.index()].claim?;
        let other_attempt = self.fixture.attempt(Owner::MAX, self.fixture.while_leased());
        match self.decide_email(Some(&self.fixture.claim(claim)), &other_attempt) {
            Decision::Wait { .. } => claim.claimed.map(|(owner, _)| owner),
            _ => None,
        }
    }

    pub(super) fn read_for_email(&self, saga: &Saga, attempt: &Attempt, lease_expired: bool) -> Next {
        let Some(kind) = Email::triggered_by(attempt.message.event) else { return Next::Refused };
        let read = saga.emails[kind.index()].claim;
        let now = if lease_expired { self.fixture.after_leases() } else { self.fixture.while_leased() };
        let claim = read.map(|row| self.fixture.claim(row));
        match self.decide_email(claim.as_ref(), &self.fixture.attempt(attempt.owner, now)) {
            Decision::Done { .. } => Next::Done,
            Decision::Wait { .. } => Next::Retry,
            Decision::Execute(_) => {
                Next::Continue(Work::AcquireClaim { read: read.map_or(0, |row| row.version) })
            }
            // The model has a single payload and a single policy.
            Decision::Reconcile(_) | Decision::Refuse(_) => Next::Refused,
        }
    }

    fn decide_email(&self, claim: Option<&Claim>, attempt: &domain::Attempt) -> Decision {
        let fingerprint = Fingerprint::from([0; 32]);
        let intent = Intent {
            fingerprint: &fingerprint,
            requested_at: self.fixture.while_leased(),
            policy: Policy::Retry,
        };
        decide(claim, &intent, attempt)
    }

    pub(super) fn send_email(&self, saga: &mut Saga, attempt: &Attempt, fault: Fault) -> Next {
        let Some(kind) = Email::triggered_by(attempt.message.event) else { return Next::Refused };
        let at = kind.index();
        match attempt.work {
            Work::AcquireClaim { read } => {
                if self.write_claim(saga, at, read, Some((attempt.owner, false)), false) {
                    Next::Continue(Work::SendEmail { version: read.saturating_add(1) })
                } else {
                    Next::Retry
                }
            }
            Work::SendEmail { version } => {
                // SES has rejected the request because of throttling, so the email was not sent.
                if fault == Fault::LostRequest {
                    return Next::Continue(Work::ReleaseClaim { version });
                }
                let email = &mut saga.emails[at];
                email.sent = email.sent.saturating_add(1);
                if fault != Fault::None || attempt.is_stalled {
                    allow_duplicate(saga, attempt.message.event);
                }
                match fault {
                    // The outcome is unknown: the claim stays until its lease expires.
                    Fault::LostResponse => Next::Retry,
                    _ => Next::Continue(Work::CompleteClaim { version }),
                }
            }
            Work::CompleteClaim { version } => {
                self.write_claim(
                    saga,
                    at,
                    version,
                    None,
                    self.has_mutation(Mutation::UnconditionalCompletion),
                );
                Next::Done
            }
            Work::ReleaseClaim { version } => {
                let released = Some((attempt.owner, true));
                self.write_claim(
                    saga,
                    at,
                    version,
                    released,
                    self.has_mutation(Mutation::UnconditionalRelease),
                );
                Next::Retry
            }
            _ => Next::Retry,
        }
    }

    /// Writes on the condition that the stored claim has the version that was read.
    fn write_claim(
        &self,
        saga: &mut Saga,
        at: usize,
        version: u8,
        claimed: Option<(Owner, bool)>,
        unconditional: bool,
    ) -> bool {
        let before = saga.emails[at].claim;
        if before.map_or(0, |claim| claim.version) != version && !unconditional {
            return false;
        }
        saga.history.final_state_changed |= before.is_some_and(|before| before.claimed.is_none());
        saga.emails[at].claim = Some(ClaimRow { version: version.saturating_add(1), claimed });
        true
    }
}
