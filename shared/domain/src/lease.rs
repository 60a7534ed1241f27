//! A right to work on something that ends by itself, so that a crashed owner does not keep it for ever.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who works on something, and until when nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The attempt that holds it. Every later write names it, so that a late one cannot undo its successor's.
    pub owner: Uuid,
    /// From then on anybody may take it.
    #[schemars(with = "String")]
    pub expires_at: Timestamp,
}

/// One run of a function on one message: who it is, and what its clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Unique to this run.
    pub owner: Uuid,
    /// The time at the start of the step.
    pub now: Timestamp,
    /// How long a lease that it takes lasts. Longer than the function may run.
    pub lease_duration: SignedDuration,
}

impl Attempt {
    /// A lease for this attempt, from now.
    pub fn lease(&self) -> Lease {
        Lease {
            owner: self.owner,
            expires_at: self.now.saturating_add(self.lease_duration).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Lease {
    /// Whether `attempt` has to leave this alone: somebody else holds it, and still may.
    pub fn blocks(&self, attempt: &Attempt) -> bool {
        self.owner != attempt.owner && attempt.now < self.expires_at
    }

    /// The same lease, given up.
    pub fn released(&self, now: Timestamp) -> Self {
        Self { owner: self.owner, expires_at: now }
    }
}
