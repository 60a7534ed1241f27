//! Claims in memory, for tests and simulations. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::claim::Claim;
use jiff::Timestamp;

use super::{IdempotencyStore, Key};
use crate::memory::{InjectedFaults, lock};

/// Claims with the conditions of the real store. Nothing is removed but by [`Self::remove_expired`].
#[derive(Debug, Default)]
pub struct InMemoryIdempotencyStore {
    claims: Mutex<BTreeMap<Key, (Claim, Timestamp)>>,
    /// Of reads.
    pub read_failures: InjectedFaults,
    /// Of writes, before they have their effect.
    pub write_failures: InjectedFaults,
    /// Of writes, after they have had their effect.
    pub lost_responses: InjectedFaults,
    /// Of writes, as when somebody else was faster.
    pub conflicts: InjectedFaults,
}

impl InMemoryIdempotencyStore {
    /// Every claim, with when it may be removed.
    pub fn claims(&self) -> BTreeMap<Key, (Claim, Timestamp)> {
        lock(&self.claims).clone()
    }

    /// Removes what may be removed at `now`, or by a person.
    pub fn remove_expired(&self, now: Timestamp) {
        lock(&self.claims).retain(|_, (_, expires_at)| now < *expires_at);
    }

    /// Removes one claim, as a person does who has found out what became of it.
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
        self.lost_responses.check("answering")?;
        Ok(true)
    }
}
