//! Effects that no domain record protects, such as mails, exports and webhooks: each is carried out once, as far as
//! its outside allows, and whoever asks again gets the receipt.
//!
//! [`domain::claim`] decides, and says what is promised; this carries it out. An effect is asked for with a key, a
//! digest of all that it depends on, and the time since when it could have been asked for. What is to happen when a
//! run has begun and was never heard of again is the caller's choice: [`OnUnknown`].
//!
//! ```
//! use platform::idempotency::{EffectError, Idempotency, Key, OnUnknown, Task};
//! use platform::{EventHandler, Failure};
//!
//! struct TellPartner {
//!     idempotency: Idempotency,
//! }
//!
//! # async fn call_webhook(event: &domain::Event) -> Result<String, EffectError> { Ok(event.id.to_string()) }
//! #[async_trait::async_trait]
//! impl EventHandler for TellPartner {
//!     async fn handle(&self, event: &domain::Event) -> Result<Vec<domain::Event>, Failure> {
//!         let key = Key::new(event.subject, event.fact.name());
//!         let task = Task::new(key, &event.fact, event.time)?;
//!         let told = self.idempotency.run_once(&task, OnUnknown::Block, |_| call_webhook(event)).await?;
//!         tracing::info!(receipt = told.receipt, "the partner knows");
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
//! # let fact = domain::Fact::ReservationReleased(domain::event::ReservationSettled {});
//! # let event = domain::Event::new(order, fact, jiff::Timestamp::UNIX_EPOCH, cause);
//! # let handler = TellPartner { idempotency };
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # assert!(runtime.block_on(handler.handle(&event)).unwrap().is_empty());
//! ```

mod memory;
pub(crate) mod metrics;
mod runner;

use std::fmt;

use async_trait::async_trait;
use domain::claim::{Claim, Fingerprint, Outcome};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use memory::InMemoryIdempotencyStore;
pub use runner::{LeaseHandle, Idempotency, CompletedEffect};

/// Names an effect. It must not name a person: it stands in logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is about, such as an order.
    pub subject: String,
    /// Which of the effects on it.
    pub effect: String,
}

impl Key {
    /// The effect of that name on `subject`. Neither may be empty.
    pub fn new(subject: impl fmt::Display, effect: impl fmt::Display) -> Self {
        Self { subject: subject.to_string(), effect: effect.to_string() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.effect, self.subject)
    }
}

/// An effect that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub key: Key,
    /// A digest of what it depends on.
    pub fingerprint: Fingerprint,
    /// Since when it could have been asked for.
    pub since: Timestamp,
}

impl Task {
    /// The effect `key`, which depends on `payload` and could have been asked for since `since`.
    ///
    /// Whoever asks for the same effect again has to give a payload with the same JSON: leave out what differs
    /// between two deliveries, or two releases. `since` has to be a time that does not move when the effect is
    /// asked for again, or late requests are no longer told from new ones: see [`domain::claim::HORIZON`].
    ///
    /// # Errors
    /// When `payload` is no JSON.
    pub fn new(key: Key, payload: &impl Serialize, since: Timestamp) -> anyhow::Result<Self> {
        let digest: [u8; 32] = Sha256::digest(serde_json::to_vec(payload)?).into();
        Ok(Self { key, fingerprint: digest.into(), since })
    }
}

/// Why an effect failed: what matters is whether it may have happened all the same.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// It certainly did not happen, and may later: the claim is given up, and the next attempt need not wait.
    #[error("{0:#}")]
    NotDone(anyhow::Error),
    /// It certainly did not happen, and never will: the claim is given up, and a person has to look.
    #[error("{0:#}")]
    Refused(anyhow::Error),
    /// It may have happened: no answer, or one that says nothing. [`OnUnknown`] decides when the lease has ended.
    #[error("{0:#}")]
    Unknown(anyhow::Error),
}

/// A failure of which nothing is known may have had its effect.
impl From<anyhow::Error> for EffectError {
    fn from(error: anyhow::Error) -> Self {
        Self::Unknown(error)
    }
}

/// What is to happen when a run has begun an effect and was never heard of again.
#[derive(Clone, Copy)]
pub enum OnUnknown<'a> {
    /// Do it again: at least once. For what is better done twice than never.
    Retry,
    /// Never again by itself: at most once. The message becomes a dead letter, and a person has to look.
    Block,
    /// Ask the outside first: once, where it answers truthfully.
    Reconcile(&'a dyn Reconciler),
}

/// Finds out what became of an effect.
#[async_trait]
pub trait Reconciler: Send + Sync {
    /// What became of the effect `key`. [`Outcome::NotDone`] only where it is certain that nothing that was begun
    /// will still have the effect; [`Outcome::Unknown`] otherwise, and the question is asked again later. A failure
    /// counts as that.
    async fn outcome(&self, key: &Key) -> anyhow::Result<Outcome>;
}

/// Where claims are kept.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// The claim of `key`, with every write that was answered before this call.
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>>;

    /// Writes `claim` in place of `previous`: on condition that version and owner of what is there are those of
    /// `previous`, or that nothing is there where that is `None`. False, and nothing written, where it is not so.
    /// From `expires_at` on the store may remove it. A failure may have had its effect.
    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool>;
}
