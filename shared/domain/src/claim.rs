//! A claim: who may carry out an effect that no record of the domain protects, such as sending an e-mail.
//!
//! The effect and the note that it was done are two steps, so a crash between them cannot be told from a
//! crash before the effect. What is to happen then is a choice, [`Policy`]; all else follows from the record:
//!
//! - nobody starts while another may be at it, and a crashed run's claim ends by itself;
//! - every write names the owner and the version that it stands on, so that a run which wakes up late can
//!   neither complete nor undo its successor's claim;
//! - nothing that is done is done again: whoever comes later gets the receipt;
//! - a failure that is known to have had no effect gives the claim up at once;
//! - the same key with another payload is refused;
//! - and a record is kept for longer than anybody acts without it, see [`MAX_REQUEST_AGE`].
//!
//! The names of the states are those of Powertools for AWS Lambda
//! (<https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/>), whose completion and
//! deletion are unconditional; these are not. `docs/decisions/0011-idempotency.md` tells the reasons.

mod retention;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::lease::{Attempt, Lease};

pub use retention::{
    BUS_RETENTION, CLOCK_SKEW_MARGIN, MAX_REQUEST_AGE, DEFAULT_LEASE_DURATION, QUEUE_RETENTION, RECORD_LIFETIME, MAX_REDRIVES,
};

/// A digest of all that an effect depends on: SHA-256, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl From<[u8; 32]> for Fingerprint {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What is known of an effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// 1 for the first that is written, and one more with each write.
    pub version: u64,
    /// Of what the effect depends on. It stays what it was when the claim was first written.
    pub fingerprint: Fingerprint,
    /// How many runs have begun and were never heard of again: each may have had the effect.
    #[serde(rename = "unknown")]
    pub unknown_outcomes: u32,
    /// How far it is.
    #[serde(flatten)]
    pub status: Status,
}

/// How far an effect is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Somebody is at it; when the lease has ended, nobody knows what became of it.
    InProgress {
        /// Who, and until when.
        lease: Lease,
    },
    /// The last run gave it up, and is known to have had no effect.
    NotDone {
        /// Which run.
        by: Uuid,
        /// When.
        at: Timestamp,
    },
    /// It was done. This is final.
    Completed {
        /// Which run wrote it.
        by: Uuid,
        /// When.
        at: Timestamp,
        /// What whoever carried it out called it, or what came of it: the id of a sent mail.
        receipt: String,
    },
}

impl Status {
    /// Its name in records and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InProgress { .. } => "in_progress",
            Self::NotDone { .. } => "not_done",
            Self::Completed { .. } => "completed",
        }
    }
}

/// What is to happen about an effect of which nobody knows whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Do it again: it happens at least once. For what is better done twice than never.
    Retry,
    /// Never again by itself: it happens at most once, and a person has to look.
    Block,
    /// Find out first.
    Reconcile,
}

/// What a run is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intent<'a> {
    /// Of what the effect depends on.
    pub fingerprint: &'a Fingerprint,
    /// Since when it could have been asked for; the same, or later, however often it is asked for.
    pub requested_at: Timestamp,
    /// What is to happen about an unknown outcome.
    pub policy: Policy,
}

/// What a run is to do about an effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Write this claim on condition that what was read still stands, then carry out the effect.
    Execute(Claim),
    /// Write this claim on the same condition, then find out what became of the runs before.
    Reconcile(Claim),
    /// Another run may be at it: come again then.
    Wait {
        /// When its lease ends.
        until: Timestamp,
    },
    /// Nothing is left to do.
    Done {
        /// What came of it.
        receipt: String,
    },
    /// Not by itself: a person has to look.
    Refuse(Refusal),
}

/// Why an effect is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The key belongs to another payload.
    #[error("the key was first used with another payload")]
    PayloadMismatch,
    /// A run before has begun and was never heard of again.
    #[error("whether it happened is not known")]
    UnknownOutcome,
    /// It was asked for so long ago that the record of it may be gone.
    #[error("it was asked for more than {} days ago, and a record of it is kept no longer", MAX_REQUEST_AGE.as_hours() / 24)]
    TooLate,
}

/// What a run found out about the effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened.
    Done {
        /// What came of it.
        receipt: String,
    },
    /// It is certain that it has not happened, and will not by what was begun.
    NotDone,
    /// It may have happened, or still may.
    Unknown,
}

/// Decides on what was read of the claim (`None`: there is none).
pub fn decide(read: Option<&Claim>, intent: &Intent<'_>, attempt: &Attempt) -> Decision {
    let Some(claim) = read else {
        let claim = Claim {
            version: 1,
            fingerprint: intent.fingerprint.clone(),
            unknown_outcomes: 0,
            status: Status::InProgress { lease: attempt.lease() },
        };
        return if attempt.now.duration_since(intent.requested_at) < MAX_REQUEST_AGE {
            Decision::Execute(claim)
        } else {
            // A record may have been here and told that it is done. To do it once more would be no answer to an
            // unknown outcome but a blind repetition, so no policy allows that without asking.
            match intent.policy {
                Policy::Reconcile => Decision::Reconcile(Claim { unknown_outcomes: 1, ..claim }),
                Policy::Retry | Policy::Block => Decision::Refuse(Refusal::TooLate),
            }
        };
    };
    if claim.fingerprint != *intent.fingerprint {
        return Decision::Refuse(Refusal::PayloadMismatch);
    }
    let unknown_outcomes = match &claim.status {
        Status::Completed { receipt, .. } => return Decision::Done { receipt: receipt.clone() },
        Status::InProgress { lease } if lease.blocks(attempt) => {
            return Decision::Wait { until: lease.expires_at };
        }
        Status::InProgress { .. } => claim.unknown_outcomes.saturating_add(1),
        Status::NotDone { .. } => claim.unknown_outcomes,
    };
    let taken_over = Claim { unknown_outcomes, ..claim.next(Status::InProgress { lease: attempt.lease() }) };
    match intent.policy {
        _ if unknown_outcomes == 0 => Decision::Execute(taken_over),
        Policy::Retry => Decision::Execute(taken_over),
        Policy::Block => Decision::Refuse(Refusal::UnknownOutcome),
        Policy::Reconcile => Decision::Reconcile(taken_over),
    }
}

impl Claim {
    /// The run that wrote it last. With the version it names this record and no other, also where one was
    /// removed and a new one begun.
    pub fn owner(&self) -> Uuid {
        match &self.status {
            Status::InProgress { lease } => lease.owner,
            Status::NotDone { by, .. } | Status::Completed { by, .. } => *by,
        }
    }

    /// What the run that holds this claim is to write after `outcome`, on condition that this still stands.
    /// Nothing where the outcome is unknown: the lease ends, and the policy decides.
    pub fn with_outcome(&self, outcome: Outcome, now: Timestamp) -> Option<Self> {
        let by = self.owner();
        match outcome {
            Outcome::Done { receipt } => Some(self.next(Status::Completed { by, at: now, receipt })),
            Outcome::NotDone => Some(self.next(Status::NotDone { by, at: now })),
            Outcome::Unknown => None,
        }
    }

    /// This claim, held by the same run for as long again, to be written on condition that this still stands.
    pub fn with_renewed_lease(&self, attempt: &Attempt) -> Self {
        self.next(Status::InProgress { lease: attempt.lease() })
    }

    /// This claim, once it is certain that no run before has had the effect.
    pub fn reconciled(self) -> Self {
        Self { unknown_outcomes: 0, ..self }
    }

    /// When it would end by itself, if somebody is at it.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.status {
            Status::InProgress { lease } => Some(lease),
            Status::NotDone { .. } | Status::Completed { .. } => None,
        }
    }

    fn next(&self, status: Status) -> Self {
        Self { version: self.version.saturating_add(1), status, ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
