//! An in-memory implementation of the port, for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::CustomerId;
use platform::lock;
use platform::memory::InjectedFaults;

use crate::profile::Profile;
use crate::store::Profiles;

/// Profiles in memory.
#[derive(Debug, Default)]
pub struct InMemoryProfiles {
    profiles: Mutex<BTreeMap<CustomerId, Profile>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

impl InMemoryProfiles {
    /// Sets the stored revision, as if the next one could be written regardless of what is stored.
    pub fn set_revision(&self, customer: &CustomerId, revision: u64) {
        if let Some(stored) = lock(&self.profiles).get_mut(customer) {
            stored.revision = revision;
        }
    }
}

#[async_trait]
impl Profiles for InMemoryProfiles {
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>> {
        self.failures.check("reading a profile")?;
        Ok(lock(&self.profiles).get(customer).cloned())
    }

    async fn write(&self, profile: &Profile) -> anyhow::Result<bool> {
        self.failures.check("writing a profile")?;
        let mut profiles = lock(&self.profiles);
        let stored = profiles.get(&profile.id).map_or(0, |stored| stored.revision);
        if stored != profile.revision.saturating_sub(1) {
            return Ok(false);
        }
        profiles.insert(profile.id.clone(), profile.clone());
        Ok(true)
    }
}
