//! `send-email`: `lambdas/notifications/src/send.rs`.

use domain::claim::{Claim, Decision, Fingerprint, Intent, Policy, decide};

use super::{Next, Protocol};
use crate::action::Fault;
use crate::mutation::Mutation;
use crate::state::{Attempt, Case, ClaimRow, Mail, News, Owner, Work};

/// A mail may go out once more through no fault of the protocol.
pub(super) fn excuse(case: &mut Case, news: News) {
    if let Some(mail) = Mail::of(news) {
        let post = &mut case.post[mail.index()];
        post.excused = post.excused.saturating_add(1);
    }
}

impl Protocol {
    /// Who holds the claim that bars a new attempt.
    pub(super) fn mail_barred_by(&self, case: &Case, news: News) -> Option<Owner> {
        let claim = case.post[Mail::of(news)?.index()].claim?;
        let stranger = self.fixture.attempt(Owner::MAX, self.fixture.during());
        match self.decide_on_mail(Some(&self.fixture.claim(claim)), &stranger) {
            Decision::Wait { .. } => claim.claimed.map(|(owner, _)| owner),
            _ => None,
        }
    }

    pub(super) fn read_to_mail(&self, case: &Case, attempt: &Attempt, overdue: bool) -> Next {
        let Some(mail) = Mail::of(attempt.letter.news) else { return Next::Refused };
        let read = case.post[mail.index()].claim;
        let now = if overdue { self.fixture.after() } else { self.fixture.during() };
        let claim = read.map(|row| self.fixture.claim(row));
        match self.decide_on_mail(claim.as_ref(), &self.fixture.attempt(attempt.owner, now)) {
            Decision::Done { .. } => Next::Done,
            Decision::Wait { .. } => Next::Again,
            Decision::Execute(_) => Next::Go(Work::Claim { read: read.map_or(0, |row| row.version) }),
            // Neither another payload nor another policy is in the model.
            Decision::Reconcile(_) | Decision::Refuse(_) => Next::Refused,
        }
    }

    fn decide_on_mail(&self, claim: Option<&Claim>, attempt: &domain::Attempt) -> Decision {
        let fingerprint = Fingerprint::from([0; 32]);
        let intent =
            Intent { fingerprint: &fingerprint, requested_at: self.fixture.during(), policy: Policy::Retry };
        decide(claim, &intent, attempt)
    }

    pub(super) fn mail(&self, case: &mut Case, attempt: &Attempt, fault: Fault) -> Next {
        let Some(mail) = Mail::of(attempt.letter.news) else { return Next::Refused };
        let at = mail.index();
        match attempt.work {
            Work::Claim { read } => {
                if self.write_claim(case, at, read, Some((attempt.owner, false)), false) {
                    Next::Go(Work::Send { ours: read.saturating_add(1) })
                } else {
                    Next::Again
                }
            }
            Work::Send { ours } => {
                // SES has said that it did not take it: it is throttled.
                if fault == Fault::LostBefore {
                    return Next::Go(Work::GiveUpClaim { ours });
                }
                let post = &mut case.post[at];
                post.sent = post.sent.saturating_add(1);
                if fault != Fault::None || attempt.late {
                    excuse(case, attempt.letter.news);
                }
                match fault {
                    // Nobody knows: the claim stays until its lease ends.
                    Fault::LostAfter => Next::Again,
                    _ => Next::Go(Work::Note { ours }),
                }
            }
            Work::Note { ours } => {
                self.write_claim(case, at, ours, None, self.is(Mutation::UnconditionalNote));
                Next::Done
            }
            Work::GiveUpClaim { ours } => {
                let given_up = Some((attempt.owner, true));
                self.write_claim(case, at, ours, given_up, self.is(Mutation::UnconditionalGiveUp));
                Next::Again
            }
            _ => Next::Again,
        }
    }

    /// Writes on condition that the claim is of that version.
    fn write_claim(
        &self,
        case: &mut Case,
        at: usize,
        version: u8,
        claimed: Option<(Owner, bool)>,
        unconditional: bool,
    ) -> bool {
        let before = case.post[at].claim;
        if before.map_or(0, |claim| claim.version) != version && !unconditional {
            return false;
        }
        case.past.final_left |= before.is_some_and(|before| before.claimed.is_none());
        case.post[at].claim = Some(ClaimRow { version: version.saturating_add(1), claimed });
        true
    }
}
