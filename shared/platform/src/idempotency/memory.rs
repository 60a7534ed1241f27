//! An in-memory idempotency store for tests and simulations.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::claim::Claim;
use jiff::Timestamp;

use super::{IdempotencyStore, Key};
use crate::memory::InjectedFaults;
use crate::sync::lock;

/// An idempotency store with the same conditions as the real one. Claims only expire by
/// [`Self::remove_expired`].
#[derive(Debug, Default)]
pub struct InMemoryIdempotencyStore {
    claims: Mutex<BTreeMap<Key, (Claim, Timestamp)>>,
    /// Faults of reads.
    pub read_failures: InjectedFaults,
    /// Faults of writes that prevent the write.
    pub write_failures: InjectedFaults,
    /// Faults of writes that only lose the response: the claim is written.
    pub lost_responses: InjectedFaults,
    /// Writes that fail their condition, as if another worker had been faster.
    pub conflicts: InjectedFaults,
}

impl InMemoryIdempotencyStore {
    /// All claims with their expiry times.
    pub fn claims(&self) -> BTreeMap<Key, (Claim, Timestamp)> {
        lock(&self.claims).clone()
    }

    /// Removes the claims that have expired at `now`.
    pub fn remove_expired(&self, now: Timestamp) {
        lock(&self.claims).retain(|_, (_, expires_at)| now < *expires_at);
    }

    /// Removes one claim, as an operator does after determining the outcome of the effect.
    pub fn remove(&self, key: &Key) {
        lock(&self.claims).remove(key);
    }
}

#[async_trait]
impl IdempotencyStore for InMemoryIdempotencyStore {
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>> {
        self.read_failures.check("reading a claim")?;
        Ok(lock(&self.claims).get(key).map(|(claim, _)| claim.clone()))
    }

    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool> {
        self.write_failures.check("writing a claim")?;
        if self.conflicts.check("claiming").is_err() {
            return Ok(false);
        }
        {
            let mut claims = lock(&self.claims);
            let stamp = |claim: &Claim| (claim.version, claim.owner());
            if claims.get(key).map(|(claim, _)| stamp(claim)) != previous.map(stamp) {
                return Ok(false);
            }
            claims.insert(key.clone(), (claim.clone(), expires_at));
        }
        self.lost_responses.check("responding")?;
        Ok(true)
    }
}
