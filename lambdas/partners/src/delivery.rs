//! The delivery of one event to one subscription, and its rules: pure.
//!
//! `pending` → `delivered` or `failed`. Whoever attempts it takes a lease first, so that two messages about the same
//! event do not send it twice at once; every write stands on the version that was read.

use std::time::Duration;

use domain::{Event, EventId, Lease};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::webhook::WebhookId;

/// The attempt that is the last.
pub const LAST_ATTEMPT: u32 = 10;
/// The longest wait between two attempts. SQS keeps a message away for 12 hours at most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60 * 60);
/// How many attempts are kept to be looked at. Only who has something sent again and again makes more.
const ATTEMPTS_KEPT: usize = 20;
/// How long a delivery is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// An event that is older is not delivered any more: what is known of it may be forgotten, and a redrive of a dead
/// letter must not send again what was taken.
pub const OLDEST_EVENT: SignedDuration = SignedDuration::from_hours(28 * 24);

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is attempted, now or later.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeliveryAttempt")]
pub struct Attempt {
    /// When it began (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// What the receiver answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 999))]
    pub status: Option<u16>,
    /// Why it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub error: Option<String>,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Taken(u16),
    /// The receiver will never take anything again.
    Gone(u16),
    /// Another answer than a success.
    Refused(u16),
    /// No answer, and why.
    NoAnswer(String),
}

/// How long to wait between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first attempt, at most. The next ones are six times as long each, up to [`LONGEST_WAIT`].
    pub base: Duration,
}

impl Backoff {
    /// The wait after `attempt` (1 for the first) failed: four fifths to all of `base × 6^(attempt - 1)`, by `chance`
    /// (0 to 1). With a base of 5 seconds, [`LAST_ATTEMPT`] attempts take 33 to 42 hours.
    #[expect(clippy::float_arithmetic, reason = "a wait need not be exact")]
    pub fn wait(self, attempt: u32, chance: f64) -> Duration {
        let factor = 6_u32.saturating_pow(attempt.saturating_sub(1));
        let most = self.base.saturating_mul(factor).min(LONGEST_WAIT);
        most.mul_f64((4.0 + chance.clamp(0.0, 1.0)) / 5.0)
    }
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// To which subscription.
    pub webhook: WebhookId,
    /// Of what, without who ordered.
    pub event: Event,
    /// When it was first attempted.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: DeliveryState,
    /// The last attempts, the oldest first.
    pub attempts: Vec<Attempt>,
    /// How many attempts were begun since it was first asked for, or asked for again.
    pub tries: u32,
    /// When the next attempt is due; `None` when there is none.
    pub next_attempt_at: Option<Timestamp>,
    /// Who is at it.
    pub lease: Option<Lease>,
}

/// What is to be done about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing, ever.
    Settled,
    /// Nothing until then.
    Wait(Timestamp),
    /// Write this: it is given up.
    GiveUp(Delivery),
    /// Write this, then send it.
    Attempt(Delivery),
}

impl Delivery {
    /// One that is due now.
    pub fn new(webhook: WebhookId, event: Event, now: Timestamp) -> Self {
        Self {
            webhook,
            event,
            created_at: now,
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            tries: 0,
            next_attempt_at: Some(now),
            lease: None,
        }
    }

    /// The event's id, which names it among those of its subscription.
    pub fn event_id(&self) -> EventId {
        self.event.id
    }

    /// What `run` has to do. `enabled`: whether the subscription takes anything.
    pub fn next(&self, enabled: bool, run: &domain::Attempt) -> Next {
        if self.state != DeliveryState::Pending {
            return Next::Settled;
        }
        if let Some(lease) = self.lease.filter(|lease| lease.blocks(run)) {
            return Next::Wait(lease.expires_at);
        }
        // An attempt whose function died counts: it may be what killed it.
        if !enabled || self.tries >= LAST_ATTEMPT {
            return Next::GiveUp(self.clone().settled(DeliveryState::Failed));
        }
        match self.next_attempt_at {
            Some(due) if due > run.now => Next::Wait(due),
            _ => Next::Attempt(Self {
                tries: self.tries.saturating_add(1),
                lease: Some(run.lease()),
                ..self.clone()
            }),
        }
    }

    /// What becomes of it after an attempt that began at `began` and ended now.
    #[must_use]
    pub fn after(&self, began: Timestamp, outcome: &Outcome, now: Timestamp, wait: Duration) -> Self {
        let (status, error) = match outcome {
            Outcome::Taken(status) => (Some(*status), None),
            Outcome::Gone(status) | Outcome::Refused(status) => {
                (Some(*status), Some(format!("answered {status}")))
            }
            Outcome::NoAnswer(why) => (None, Some(why.chars().take(200).collect())),
        };
        let mut after = self.clone();
        after.attempts.push(Attempt { at: began, status, error });
        let surplus = after.attempts.len().saturating_sub(ATTEMPTS_KEPT);
        after.attempts.drain(..surplus);
        match outcome {
            Outcome::Taken(_) => after.settled(DeliveryState::Delivered),
            Outcome::Gone(_) => after.settled(DeliveryState::Failed),
            Outcome::Refused(_) | Outcome::NoAnswer(_) if after.tries >= LAST_ATTEMPT => {
                after.settled(DeliveryState::Failed)
            }
            Outcome::Refused(_) | Outcome::NoAnswer(_) => {
                let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
                after.next_attempt_at = Some(now.saturating_add(wait).unwrap_or(Timestamp::MAX));
                after.lease = None;
                after
            }
        }
    }

    fn settled(mut self, state: DeliveryState) -> Self {
        self.state = state;
        self.next_attempt_at = None;
        self.lease = None;
        self
    }

    /// The same, to be sent again now; `None` while it is pending anyhow.
    pub fn again(&self, now: Timestamp) -> Option<Self> {
        let due =
            Self { state: DeliveryState::Pending, tries: 0, next_attempt_at: Some(now), ..self.clone() };
        (self.state != DeliveryState::Pending).then_some(due)
    }

    /// Whether it is due and nobody is at it: then what should bring it on may have been lost.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Pending
            && self.next_attempt_at.is_none_or(|due| due <= now)
            && self.lease.is_none_or(|lease| lease.expires_at <= now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attempts_go_on_for_33_to_42_hours() {
        let backoff = Backoff { base: Duration::from_secs(5) };
        let waits: Vec<u64> = (1..LAST_ATTEMPT).map(|attempt| backoff.wait(attempt, 1.0).as_secs()).collect();
        assert_eq!(waits, [5, 30, 180, 1080, 6480, 36000, 36000, 36000, 36000]);
        let total = |chance: f64| -> u64 {
            (1..LAST_ATTEMPT).map(|attempt| backoff.wait(attempt, chance).as_secs()).sum()
        };
        assert_eq!((total(0.0) / 3600, total(1.0) / 3600), (33, 42));
    }

    proptest! {
        #[test]
        fn a_wait_grows_and_never_is_too_long(
            base in 0_u64..100_000, attempt in 1_u32..1000, chance in -1.0..2.0_f64,
        ) {
            let backoff = Backoff { base: Duration::from_secs(base) };
            let wait = backoff.wait(attempt, chance);
            prop_assert!(wait <= LONGEST_WAIT);
            prop_assert!(wait >= backoff.wait(attempt, 0.0));
            prop_assert!(backoff.wait(attempt + 1, chance) >= wait);
        }
    }
}
