//! The outbox in DynamoDB.

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::EventId;
use jiff::Timestamp;
use platform::config;

use super::item::{OutboxItem, sortable};
use crate::store::{Outbox, OutboxRow};

/// How many late rows are looked at in one go; the schedule comes again in a minute.
pub(super) const MOST_ROWS: usize = 500;

/// The table that a transaction writes events to, and whose stream the relay reads.
#[derive(Debug, Clone)]
pub struct DynamoDbOutbox {
    client: Client,
    table: String,
}

impl DynamoDbOutbox {
    /// The table in `OUTBOX_TABLE`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("OUTBOX_TABLE")?))
    }

    /// The table of that name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Outbox for DynamoDbOutbox {
    async fn remove(&self, event: EventId) -> anyhow::Result<()> {
        let key = AttributeValue::S(event.to_string());
        let answer = self.client.delete_item().table_name(&self.table).key("event_id", key).send().await;
        answer.context("the outbox row could not be removed")?;
        Ok(())
    }

    /// A scan: the table holds what was written in the last seconds, and what is stuck.
    async fn left_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>> {
        let mut pages = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression("created_at < :before")
            .expression_attribute_values(":before", AttributeValue::S(sortable(before)))
            .into_paginator()
            .items()
            .send();
        let mut rows = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.context("the outbox could not be read")?;
            let row: OutboxItem =
                serde_dynamo::from_item(item).context("a row of the outbox is not understood")?;
            rows.push(OutboxRow { event_id: row.event_id, event: row.event });
            if rows.len() == MOST_ROWS {
                break;
            }
        }
        Ok(rows)
    }
}
