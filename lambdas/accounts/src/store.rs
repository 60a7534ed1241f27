//! The port to the store of profiles.

use async_trait::async_trait;
use domain::CustomerId;

use crate::profile::Profile;

/// The store of profiles, one per customer.
#[async_trait]
pub trait Profiles: Send + Sync {
    /// Gets the profile of a customer.
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>>;

    /// Writes a profile if the stored revision is `profile.revision - 1`, or if none is stored and that is 0.
    /// Otherwise, returns false and writes nothing.
    async fn write(&self, profile: &Profile) -> anyhow::Result<bool>;
}
