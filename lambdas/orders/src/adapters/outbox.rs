//! The outbox in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::text;
use aws_sdk_dynamodb::Client;
use domain::EventId;
use jiff::Timestamp;
use platform::config;

use super::item::{OutboxItem, sortable};
use crate::store::{Outbox, OutboxRow};

/// The maximum number of rows that one run publishes; the next run follows a minute later.
pub(super) const MAX_ROWS: usize = 500;

/// The outbox table, to which transactions write events and whose stream triggers the relay.
#[derive(Debug, Clone)]
pub struct DynamoDbOutbox {
    client: Client,
    table: String,
}

impl DynamoDbOutbox {
    /// The table in `OUTBOX_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("OUTBOX_TABLE")?))
    }

    /// The table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Outbox for DynamoDbOutbox {
    async fn remove(&self, event: EventId) -> anyhow::Result<()> {
        let key = text(event);
        let response = self.client.delete_item().table_name(&self.table).key("event_id", key).send().await;
        response.context("failed to remove the row from the outbox")?;
        Ok(())
    }

    /// Scans the table, which is small: it has the events of the last few seconds and those that are stuck.
    async fn list_created_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("created_at < :before")
            .expression_attribute_values(":before", text(sortable(before)))
            .into_paginator()
            .items()
            .send();
        let mut rows = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.context("failed to scan the outbox")?;
            let row: OutboxItem =
                serde_dynamo::from_item(item).context("a row of the outbox could not be parsed")?;
            rows.push(OutboxRow { event_id: row.event_id, event: row.event });
            if rows.len() == MAX_ROWS {
                break;
            }
        }
        Ok(rows)
    }
}
