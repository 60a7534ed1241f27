//! The port to the profiles.

use async_trait::async_trait;
use domain::CustomerId;

use crate::profile::Profile;

/// The profiles, one per customer.
#[async_trait]
pub trait Profiles: Send + Sync {
    /// Somebody's profile.
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>>;

    /// Writes `profile` on condition that the one before it is there: of revision `profile.revision - 1`, or none where
    /// that is 0. False, and nothing written, where it is not.
    async fn write(&self, profile: &Profile) -> anyhow::Result<bool>;
}
