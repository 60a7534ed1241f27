//! Subscriptions in DynamoDB: one item per partner.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{number, put_if, text};
use aws_sdk_dynamodb::Client;
use domain::CustomerId;
use platform::config;
use platform::optimistic::Versioned;
use serde::{Deserialize, Serialize};

use crate::store::Partners;
use crate::webhook::Subscriptions;

/// The table of subscriptions.
#[derive(Debug, Clone)]
pub struct DynamoDbPartners {
    client: Client,
    table: String,
}

/// An item. Ten webhooks with URLs of maximum length take 30 KB; the limit of an item is 400 KB.
#[derive(Serialize, Deserialize)]
struct PartnerItem {
    partner_id: CustomerId,
    version: u64,
    webhooks: String,
}

impl DynamoDbPartners {
    /// The table in `WEBHOOKS_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("WEBHOOKS_TABLE")?))
    }

    /// The table with the given name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Partners for DynamoDbPartners {
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("partner_id", text(partner))
            .consistent_read(true)
            .send()
            .await
            .context("the subscriptions could not be read")?;
        let Some(item) = response.item else {
            return Ok(Versioned { value: Subscriptions::default(), version: 0 });
        };
        let item: PartnerItem =
            serde_dynamo::from_item(item).context("an item of the webhooks table cannot be parsed")?;
        let value = serde_json::from_str(&item.webhooks)
            .context("the subscriptions in the table cannot be parsed")?;
        Ok(Versioned { value, version: item.version })
    }

    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool> {
        let item = PartnerItem {
            partner_id: partner.clone(),
            version: read.version.saturating_add(1),
            webhooks: serde_json::to_string(subscriptions)?,
        };
        let put = self.client.put_item().table_name(&self.table).set_item(Some(serde_dynamo::to_item(item)?));
        let put = if read.version == 0 {
            put.condition_expression("attribute_not_exists(partner_id)")
        } else {
            put.condition_expression("version = :read")
                .expression_attribute_values(":read", number(read.version))
        };
        put_if(put).await.context("the subscriptions could not be written")
    }
}
