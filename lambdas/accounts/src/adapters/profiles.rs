//! Profiles in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, parse_json, put_if, text};
use aws_sdk_dynamodb::Client;
use domain::CustomerId;
use platform::config;

use crate::profile::Profile;
use crate::store::Profiles;

/// The table of profiles. Each item has the profile as JSON, and attributes for conditions.
#[derive(Debug, Clone)]
pub struct DynamoDbProfiles {
    client: Client,
    table: String,
}

impl DynamoDbProfiles {
    /// The table in `PROFILES_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("PROFILES_TABLE")?))
    }

    /// The table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Profiles for DynamoDbProfiles {
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("customer_id", text(customer))
            .consistent_read(true)
            .send()
            .await
            .context("failed to read the profile")?;
        let Some(item) = response.item else { return Ok(None) };
        Ok(Some(parse_json(&item, "profile").context("a profile in the table is invalid")?))
    }

    async fn write(&self, profile: &Profile) -> anyhow::Result<bool> {
        let previous = profile.revision.saturating_sub(1);
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("customer_id", text(&profile.id))
            .item("revision", number(profile.revision))
            .item("profile", text(serde_json::to_string(profile)?));
        put = if previous == 0 {
            put.condition_expression("attribute_not_exists(customer_id)")
        } else {
            put.condition_expression("revision = :before")
                .expression_attribute_values(":before", number(previous))
        };
        put_if(put).await.context("failed to write the profile")
    }
}
