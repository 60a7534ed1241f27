//! A claim: who may carry out an effect that no record of the domain protects, such as sending an e-mail.
//!
//! The effect and the note that it was done are two steps, so a crash between them cannot be told from a
//! crash before the effect. A claim narrows that to once as far as can be: nobody starts while another may
//! be at it, a crashed run's claim ends by itself, and nothing that is done is done again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lease::{Attempt, Lease};

/// What is known of the effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Claim {
    /// Somebody is at it.
    Claimed {
        /// Who, and until when.
        lease: Lease,
    },
    /// It was done.
    Done {
        /// When.
        at: Timestamp,
        /// What whoever carried it out called it: the id of a sent mail.
        receipt: String,
    },
}

/// What an attempt is to do about a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Write this claim on condition that what was read still stands, then carry out the effect.
    Claim(Claim),
    /// Another run may be at it: come again then.
    Wait {
        /// When its lease ends.
        until: Timestamp,
    },
    /// Nothing is left to do.
    Done,
}

/// Decides on what was read of the claim (`None`: there is none yet).
pub fn decide(read: Option<&Claim>, attempt: &Attempt) -> Decision {
    match read {
        Some(Claim::Done { .. }) => Decision::Done,
        Some(Claim::Claimed { lease }) if lease.bars(attempt) => Decision::Wait { until: lease.expires_at },
        Some(Claim::Claimed { .. }) | None => Decision::Claim(Claim::Claimed { lease: attempt.lease() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use uuid::Uuid;

    fn attempt(owner: u128, second: i64) -> Attempt {
        Attempt {
            owner: Uuid::from_u128(owner),
            now: Timestamp::from_second(second).unwrap(),
            lease_for: SignedDuration::from_secs(60),
        }
    }

    #[test]
    fn a_claim_bars_others_until_it_ends_and_for_ever_once_done() {
        let Decision::Claim(claim) = decide(None, &attempt(1, 0)) else { panic!("free") };
        assert!(
            matches!(decide(Some(&claim), &attempt(2, 59)), Decision::Wait { until } if until.as_second() == 60)
        );
        assert!(matches!(decide(Some(&claim), &attempt(2, 60)), Decision::Claim(_)));
        assert!(matches!(decide(Some(&claim), &attempt(1, 1)), Decision::Claim(_)), "its own");
        let done = Claim::Done { at: Timestamp::UNIX_EPOCH, receipt: "m".into() };
        assert_eq!(decide(Some(&done), &attempt(1, 1_000_000)), Decision::Done);
    }
}
