//! The delivery of one event to one webhook and its rules, without I/O.
//!
//! `pending` → `delivered` or `failed`. An attempt acquires a lease first, so that two messages about the
//! same event do not send it concurrently. Every write is conditional on the version that was read.

use std::time::Duration;

use domain::{EventId, Lease};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::PartnerEvent;
use crate::webhook::WebhookId;

/// The maximum number of attempts.
pub const MAX_ATTEMPTS: u32 = 10;
/// The maximum delay between two attempts. The maximum visibility timeout of SQS is 12 hours.
pub const MAX_BACKOFF: Duration = Duration::from_secs(10 * 60 * 60);
/// The number of attempts that are stored for the partner. Only repeated redeliveries make more.
const MAX_STORED_ATTEMPTS: usize = 20;
/// The time from creation after which a delivery is deleted.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The age from which an event is no longer delivered: its deliveries may have been deleted, and redriving a
/// dead-letter message must not send an event again that was delivered.
pub const MAX_EVENT_AGE: SignedDuration = SignedDuration::from_hours(28 * 24);

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is being attempted, or waits for the next attempt.
    Pending,
    /// The receiver accepted it.
    Delivered,
    /// It failed permanently.
    Failed,
}

/// An attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeliveryAttempt")]
pub struct Attempt {
    /// The start of the attempt (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The HTTP status of the response, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 999))]
    pub status: Option<u16>,
    /// The reason for the failure; absent if the attempt succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub error: Option<String>,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver responded with this 2xx status.
    Accepted(u16),
    /// The receiver responded with 410 Gone: it does not want any more events.
    Gone(u16),
    /// The receiver responded with another status.
    Rejected(u16),
    /// There was no response, for this reason.
    NoResponse(String),
}

/// The delays between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The maximum delay after the first attempt. Each further one is six times as long, up to
    /// [`MAX_BACKOFF`].
    pub base_delay: Duration,
}

impl Backoff {
    /// Returns the delay after attempt number `attempt` (from 1): 80 to 100 % of `base_delay × 6^(attempt -
    /// 1)`, depending on `random` (0 to 1). With a base delay of 5 seconds, [`MAX_ATTEMPTS`] attempts take 33
    /// to 42 hours.
    #[expect(clippy::float_arithmetic, reason = "a delay need not be exact")]
    pub fn delay(self, attempt: u32, random: f64) -> Duration {
        let factor = 6_u32.saturating_pow(attempt.saturating_sub(1));
        let max_delay = self.base_delay.saturating_mul(factor).min(MAX_BACKOFF);
        max_delay.mul_f64((4.0 + random.clamp(0.0, 1.0)) / 5.0)
    }
}

/// A delivery record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The webhook that the event is delivered to.
    pub webhook: WebhookId,
    /// What the delivery needs of the event.
    #[serde(deserialize_with = "PartnerEvent::deserialize_any")]
    pub event: PartnerEvent,
    /// The time of creation, at which the first attempt was due.
    pub created_at: Timestamp,
    /// The state of the delivery.
    pub state: DeliveryState,
    /// The latest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// The number of attempts that were started since the creation or the last requested redelivery.
    #[serde(rename = "tries")]
    pub attempts_started: u32,
    /// The time of the next attempt; `None` if there is none.
    pub next_attempt_at: Option<Timestamp>,
    /// The lease of the current or latest attempt.
    pub lease: Option<Lease>,
}

/// The next action for a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextAction {
    /// The delivery is final: there is nothing to do.
    Done,
    /// Wait until this time.
    Wait(Timestamp),
    /// Write this record: the delivery failed permanently.
    GiveUp(Delivery),
    /// Write this record, then send the event.
    Attempt(Delivery),
}

impl Delivery {
    /// A new delivery that is due now.
    pub fn new(webhook: WebhookId, event: PartnerEvent, now: Timestamp) -> Self {
        Self {
            webhook,
            event,
            created_at: now,
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            attempts_started: 0,
            next_attempt_at: Some(now),
            lease: None,
        }
    }

    /// Returns the id of the event, which identifies the delivery within its webhook.
    pub fn event_id(&self) -> EventId {
        self.event.id
    }

    /// Returns the next action of the attempt `run`. `enabled` says whether the webhook is enabled.
    pub fn next_action(&self, enabled: bool, run: &domain::Attempt) -> NextAction {
        if self.state != DeliveryState::Pending {
            return NextAction::Done;
        }
        if let Some(lease) = self.lease.filter(|lease| lease.blocks(run)) {
            return NextAction::Wait(lease.expires_at);
        }
        // An attempt whose function crashed counts too, because the delivery may have caused the crash.
        if !enabled || self.attempts_started >= MAX_ATTEMPTS {
            return NextAction::GiveUp(self.clone().finished(DeliveryState::Failed));
        }
        match self.next_attempt_at {
            Some(due) if due > run.now => NextAction::Wait(due),
            _ => NextAction::Attempt(Self {
                attempts_started: self.attempts_started.saturating_add(1),
                lease: Some(run.lease()),
                ..self.clone()
            }),
        }
    }

    /// Returns the record after an attempt that started at `started_at` and ended at `now`. The next attempt,
    /// if there is one, is due after `delay`.
    #[must_use]
    pub fn with_outcome(
        &self,
        started_at: Timestamp,
        outcome: &Outcome,
        now: Timestamp,
        delay: Duration,
    ) -> Self {
        let (status, error) = match outcome {
            Outcome::Accepted(status) => (Some(*status), None),
            Outcome::Gone(status) | Outcome::Rejected(status) => {
                (Some(*status), Some(format!("responded with {status}")))
            }
            Outcome::NoResponse(why) => (None, Some(why.chars().take(200).collect())),
        };
        let mut after = self.clone();
        after.attempts.push(Attempt { at: started_at, status, error });
        let surplus = after.attempts.len().saturating_sub(MAX_STORED_ATTEMPTS);
        after.attempts.drain(..surplus);
        match outcome {
            Outcome::Accepted(_) => after.finished(DeliveryState::Delivered),
            Outcome::Gone(_) => after.finished(DeliveryState::Failed),
            Outcome::Rejected(_) | Outcome::NoResponse(_) if after.attempts_started >= MAX_ATTEMPTS => {
                after.finished(DeliveryState::Failed)
            }
            Outcome::Rejected(_) | Outcome::NoResponse(_) => {
                let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
                after.next_attempt_at = Some(now.saturating_add(delay).unwrap_or(Timestamp::MAX));
                after.lease = None;
                after
            }
        }
    }

    fn finished(mut self, state: DeliveryState) -> Self {
        self.state = state;
        self.next_attempt_at = None;
        self.lease = None;
        self
    }

    /// Returns the record for a redelivery that is due now, or `None` if the delivery is pending anyway.
    pub fn redelivery(&self, now: Timestamp) -> Option<Self> {
        let due = Self {
            state: DeliveryState::Pending,
            attempts_started: 0,
            next_attempt_at: Some(now),
            ..self.clone()
        };
        (self.state != DeliveryState::Pending).then_some(due)
    }

    /// Returns whether an attempt is due and none is in progress: the message that should cause it may have
    /// been lost.
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
    fn attempts_take_33_to_42_hours() {
        let backoff = Backoff { base_delay: Duration::from_secs(5) };
        let delays: Vec<u64> =
            (1..MAX_ATTEMPTS).map(|attempt| backoff.delay(attempt, 1.0).as_secs()).collect();
        assert_eq!(delays, [5, 30, 180, 1080, 6480, 36000, 36000, 36000, 36000]);
        let total = |random: f64| -> u64 {
            (1..MAX_ATTEMPTS).map(|attempt| backoff.delay(attempt, random).as_secs()).sum()
        };
        assert_eq!((total(0.0) / 3600, total(1.0) / 3600), (33, 42));
    }

    proptest! {
        #[test]
        fn delays_grow_up_to_the_maximum(
            base_delay in 0_u64..100_000, attempt in 1_u32..1000, random in -1.0..2.0_f64,
        ) {
            let backoff = Backoff { base_delay: Duration::from_secs(base_delay) };
            let delay = backoff.delay(attempt, random);
            prop_assert!(delay <= MAX_BACKOFF);
            prop_assert!(delay >= backoff.delay(attempt, 0.0));
            prop_assert!(backoff.delay(attempt + 1, random) >= delay);
        }
    }
}
