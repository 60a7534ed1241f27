//! Leases: exclusive access to a record for a limited time. A lease expires, so a crashed owner cannot hold
//! it indefinitely.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Exclusive access to a record until a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The attempt that holds the lease. Every write names its owner, so that a delayed write cannot
    /// overwrite that of its successor.
    pub owner: Uuid,
    /// The time from which any other attempt may acquire the lease.
    #[schemars(with = "String")]
    pub expires_at: Timestamp,
}

/// One invocation of a function for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// An id that is unique to this attempt.
    pub owner: Uuid,
    /// The time at which the current step started, by the clock of this attempt.
    pub now: Timestamp,
    /// The duration of the leases that this attempt acquires. It has to exceed the timeout of the function.
    pub lease_duration: SignedDuration,
}

impl Attempt {
    /// Returns a lease for this attempt, starting now.
    pub fn lease(&self) -> Lease {
        Lease {
            owner: self.owner,
            expires_at: self.now.saturating_add(self.lease_duration).unwrap_or(Timestamp::MAX),
        }
    }
}

impl Lease {
    /// Returns whether another attempt holds the lease and it has not expired, so that `attempt` has to wait.
    pub fn blocks(&self, attempt: &Attempt) -> bool {
        self.owner != attempt.owner && attempt.now < self.expires_at
    }

    /// Returns the lease as released by its owner: it expires now.
    pub fn released(&self, now: Timestamp) -> Self {
        Self { owner: self.owner, expires_at: now }
    }
}
