//! Idempotent execution of effects that no domain record protects, such as emails, exports and webhooks: each
//! is executed once, as far as the external system allows, and a repeated request returns the receipt.
//!
//! [`domain::claim`] makes the decisions and documents the guarantees; this module executes them. An effect
//! is requested with a key, a fingerprint of everything that it depends on, and the earliest time at which it
//! can have been requested. The caller chooses what happens if an earlier run started and its outcome is
//! unknown: [`OnUnknown`].
//!
//! ```
//! use platform::idempotency::{EffectError, Idempotency, Key, OnUnknown, Task};
//! use platform::{EventHandler, Failure};
//!
//! struct NotifyPartner {
//!     idempotency: Idempotency,
//! }
//!
//! # async fn call_webhook(event: &domain::Event) -> Result<String, EffectError> { Ok(event.id.to_string()) }
//! #[async_trait::async_trait]
//! impl EventHandler for NotifyPartner {
//!     async fn handle(&self, event: &domain::Event) -> Result<Vec<domain::Event>, Failure> {
//!         let key = Key::new(event.subject, event.fact.name());
//!         let task = Task::new(key, &event.fact, event.time)?;
//!         let sent = self.idempotency.run_once(&task, OnUnknown::Block, |_| call_webhook(event)).await?;
//!         tracing::info!(receipt = sent.receipt, "the partner was notified");
//!         Ok(Vec::new())
//!     }
//! }
//! # use platform::idempotency::InMemoryIdempotencyStore;
//! # use platform::memory::ManualClock;
//! # use std::sync::Arc;
//! # let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
//! # let idempotency = Idempotency::new(Arc::new(InMemoryIdempotencyStore::default()), clock);
//! # let order = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
//! # let cause = domain::Cause { correlation_id: "r".parse().unwrap(), causation_id: None, traceparent: None };
//! # let fact = domain::Fact::ReservationReleased(domain::fact::ReservationSettled {});
//! # let event = domain::Event::new(order, fact, jiff::Timestamp::UNIX_EPOCH, cause);
//! # let handler = NotifyPartner { idempotency };
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # assert!(runtime.block_on(handler.handle(&event)).unwrap().is_empty());
//! ```

pub mod execution;
#[cfg(feature = "test-support")]
mod memory;
pub(crate) mod metrics;
mod runner;

use std::fmt;

use async_trait::async_trait;
use domain::claim::{Claim, Fingerprint, Outcome, Policy};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use execution::CompletedEffect;
#[cfg(feature = "test-support")]
pub use memory::InMemoryIdempotencyStore;
pub use runner::{Idempotency, LeaseHandle};

/// Identifies an effect. It must not contain personal data, because it is logged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The subject of the effect, such as an order.
    pub subject: String,
    /// The name of the effect, unique for the subject.
    pub effect: String,
}

impl Key {
    /// The key of `effect` on `subject`. Neither may be empty.
    pub fn new(subject: impl fmt::Display, effect: impl fmt::Display) -> Self {
        Self { subject: subject.to_string(), effect: effect.to_string() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.effect, self.subject)
    }
}

/// A request to execute an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The key of the effect.
    pub key: Key,
    /// A digest of the payload.
    pub fingerprint: Fingerprint,
    /// The earliest time at which the effect can have been requested.
    pub since: Timestamp,
}

impl Task {
    /// A request for the effect `key`, which depends on `payload` and cannot have been requested before
    /// `since`.
    ///
    /// A repeated request has to have a payload with the same JSON: omit everything that differs between
    /// deliveries or releases. `since` has to be the same for every request of the effect, or a late replay
    /// cannot be distinguished from a new request: see [`domain::claim::MAX_REQUEST_AGE`].
    ///
    /// # Errors
    /// When `payload` cannot be serialized as JSON.
    pub fn new(key: Key, payload: &impl Serialize, since: Timestamp) -> anyhow::Result<Self> {
        let digest: [u8; 32] = Sha256::digest(serde_json::to_vec(payload)?).into();
        Ok(Self { key, fingerprint: digest.into(), since })
    }
}

/// Why an effect failed. The variants differ in whether the effect may have happened nevertheless.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// The effect did not happen, and may succeed later: the lease is released, so that the next attempt can
    /// start at once.
    #[error("{0:#}")]
    NotDone(anyhow::Error),
    /// The effect did not happen, and never will: the lease is released, and manual intervention is needed.
    #[error("{0:#}")]
    Refused(anyhow::Error),
    /// The effect may have happened: there was no response, or an inconclusive one. [`OnUnknown`] decides
    /// once the lease has expired.
    #[error("{0:#}")]
    Unknown(anyhow::Error),
}

/// The effect may have happened before an error of unknown cause.
impl From<anyhow::Error> for EffectError {
    fn from(error: anyhow::Error) -> Self {
        Self::Unknown(error)
    }
}

/// What to do if an earlier run started an effect and its outcome is unknown.
#[derive(Clone, Copy)]
pub enum OnUnknown<'a> {
    /// Execute the effect again: at-least-once. For effects that are better done twice than never.
    Retry,
    /// Do not execute the effect again: at-most-once. The message is sent to the DLQ and needs manual
    /// intervention.
    Block,
    /// Ask the external system first: exactly once, provided that its response is correct.
    Reconcile(&'a dyn Reconciler),
}

impl OnUnknown<'_> {
    /// The policy, as the rules of [`domain::claim`] know it.
    pub fn policy(self) -> Policy {
        match self {
            Self::Retry => Policy::Retry,
            Self::Block => Policy::Block,
            Self::Reconcile(_) => Policy::Reconcile,
        }
    }

    /// The outcome of `key` as the external system knows it: unknown if it is not to be asked.
    async fn outcome(self, key: &Key) -> anyhow::Result<Outcome> {
        match self {
            Self::Retry | Self::Block => Ok(Outcome::Unknown),
            Self::Reconcile(reconciler) => reconciler.outcome(key).await,
        }
    }
}

/// Determines the outcome of an effect from the external system.
#[async_trait]
pub trait Reconciler: Send + Sync {
    /// Returns the outcome of the effect `key`. Return [`Outcome::NotDone`] only if no request in progress
    /// can still have the effect, and [`Outcome::Unknown`] otherwise: the question is then asked again later.
    /// An error counts as unknown.
    async fn outcome(&self, key: &Key) -> anyhow::Result<Outcome>;
}

/// The store of claims.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// Returns the claim of `key`. The read is strongly consistent.
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>>;

    /// Replaces `previous` by `claim`, on condition that the stored claim has the version and owner of
    /// `previous`, or that there is none if `previous` is `None`. Returns `false`, and writes nothing, if the
    /// condition fails. The store may delete the claim from `expires_at` on. After an error, the claim may
    /// have been written.
    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool>;
}
