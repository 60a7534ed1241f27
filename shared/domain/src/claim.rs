//! Claims: idempotency records for effects that no other record of the domain protects, such as sending an
//! e-mail.
//!
//! Performing the effect and recording its completion are two steps, so a crash between them cannot be
//! distinguished from a crash before the effect. [`Policy`] chooses what happens then; everything else
//! follows from the record:
//!
//! - No attempt starts while another may be in progress, and the claim of a crashed attempt expires.
//! - Every write is conditional on the owner and the version that were read, so that an attempt which resumes
//!   late can neither complete nor release the claim of its successor.
//! - A completed effect is never performed again: later attempts get the receipt.
//! - A failure that is known to have had no effect releases the claim immediately.
//! - The same key with another payload is refused.
//! - A record is kept for longer than requests are served without one: see [`MAX_REQUEST_AGE`].
//!
//! The names of the states are those of Powertools for AWS Lambda
//! (<https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/>), whose completion and
//! deletion are unconditional; here they are conditional. `docs/decisions/0011-idempotency.md` gives the
//! reasons.

mod retention;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::AsRefStr;
use uuid::Uuid;

use crate::lease::{Attempt, Lease};

pub use retention::{
    BUS_RETENTION, CLOCK_SKEW_MARGIN, DEFAULT_LEASE_DURATION, MAX_REDRIVES, MAX_REQUEST_AGE, QUEUE_RETENTION,
    RECORD_LIFETIME,
};

/// A digest of the payload, which is everything that the effect depends on: SHA-256, as 64 hexadecimal
/// digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl From<[u8; 32]> for Fingerprint {
    fn from(digest: [u8; 32]) -> Self {
        Self(hex::encode(digest))
    }
}

/// The idempotency record of an effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The version of the record: 1 for the first write, incremented by each further one.
    pub version: u64,
    /// The fingerprint of the payload. It never changes after the first write.
    pub fingerprint: Fingerprint,
    /// The number of attempts whose outcome is unknown: each may have performed the effect.
    #[serde(rename = "unknown")]
    pub unknown_outcomes: u32,
    /// The status of the effect.
    #[serde(flatten)]
    pub status: Status,
}

/// The status of an effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(tag = "status", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// An attempt is in progress; once its lease has expired, its outcome is unknown.
    InProgress {
        /// The lease of the attempt.
        lease: Lease,
    },
    /// The latest attempt released the claim and is known to have had no effect.
    NotDone {
        /// The id of the attempt.
        by: Uuid,
        /// The time of the release.
        at: Timestamp,
    },
    /// The effect was performed. This is final.
    Completed {
        /// The id of the attempt that recorded the completion.
        by: Uuid,
        /// The time of the completion.
        at: Timestamp,
        /// The result of the effect, such as the id of a sent e-mail.
        receipt: String,
    },
}

/// The policy for attempts whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Perform the effect again: at-least-once. For effects that are better performed twice than never.
    Retry,
    /// Do not perform the effect again: at-most-once. An unknown outcome needs manual intervention.
    Block,
    /// Find out whether the effect was performed before performing it again.
    Reconcile,
}

/// A request to perform an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intent<'a> {
    /// The fingerprint of the payload.
    pub fingerprint: &'a Fingerprint,
    /// The earliest time at which the effect can have been requested. A retry has the same time, or a later
    /// one.
    pub requested_at: Timestamp,
    /// The policy for an unknown outcome.
    pub policy: Policy,
}

/// The decision on a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Write this claim, on condition that the stored one has not changed, then perform the effect.
    Execute(Claim),
    /// Write this claim on the same condition, then find out the outcome of the previous attempts.
    Reconcile(Claim),
    /// Retry later: another attempt may be in progress.
    Wait {
        /// The time at which its lease expires.
        until: Timestamp,
    },
    /// The effect has already been performed.
    Done {
        /// The recorded receipt.
        receipt: String,
    },
    /// The effect must not be performed; this needs manual intervention.
    Refuse(Refusal),
}

/// The reason why an effect is not performed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The key was used with another payload.
    #[error("the key was first used with another payload")]
    PayloadMismatch,
    /// A previous attempt started and its outcome is unknown.
    #[error("the outcome of a previous attempt is unknown")]
    UnknownOutcome,
    /// The request is so old that its record may have been deleted.
    #[error("the request is more than {} days old, so its record may have been deleted", MAX_REQUEST_AGE.as_hours() / 24)]
    TooLate,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The effect was performed.
    Done {
        /// The result of the effect, such as the id of a sent e-mail.
        receipt: String,
    },
    /// The effect certainly was not performed, and the attempt can no longer cause it.
    NotDone,
    /// The effect may have been performed, or still may be.
    Unknown,
}

/// Decides how to handle a request, given the stored claim, if there is one.
pub fn decide(stored: Option<&Claim>, intent: &Intent<'_>, attempt: &Attempt) -> Decision {
    let Some(claim) = stored else {
        let claim = Claim {
            version: 1,
            fingerprint: intent.fingerprint.clone(),
            unknown_outcomes: 0,
            status: Status::InProgress { lease: attempt.lease() },
        };
        return if attempt.now.duration_since(intent.requested_at) < MAX_REQUEST_AGE {
            Decision::Execute(claim)
        } else {
            // A record of the completion may have existed and been deleted. Retrying would ignore that
            // possibility, so every policy requires finding out first.
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
    /// Returns the attempt that wrote the claim last. Together with the version it identifies this state of
    /// the record, even if the record was deleted and created again.
    pub fn owner(&self) -> Uuid {
        match &self.status {
            Status::InProgress { lease } => lease.owner,
            Status::NotDone { by, .. } | Status::Completed { by, .. } => *by,
        }
    }

    /// Returns the claim to write after `outcome`, on condition that the stored claim is still this one.
    /// `None` if the outcome is unknown: then the lease expires, and the policy decides.
    pub fn with_outcome(&self, outcome: Outcome, now: Timestamp) -> Option<Self> {
        let by = self.owner();
        match outcome {
            Outcome::Done { receipt } => Some(self.next(Status::Completed { by, at: now, receipt })),
            Outcome::NotDone => Some(self.next(Status::NotDone { by, at: now })),
            Outcome::Unknown => None,
        }
    }

    /// Returns the claim with the lease renewed, to be written on condition that the stored claim is still
    /// this one.
    pub fn with_renewed_lease(&self, attempt: &Attempt) -> Self {
        self.next(Status::InProgress { lease: attempt.lease() })
    }

    /// Returns the claim after it was established that no previous attempt performed the effect.
    pub fn reconciled(self) -> Self {
        Self { unknown_outcomes: 0, ..self }
    }

    /// Returns the lease, if an attempt is in progress.
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
