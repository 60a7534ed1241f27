//! Removes the test data of a run.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use terminal::ui;

use super::{CreatedResource, Ids};
use crate::buckets;
use crate::queues::{self, DeadLetterQueue, Disposition, MessageFilter};
use crate::stack::{Resource, Stack};

/// Tables whose rows `index-order` removes after the orders are deleted.
const BY_STREAM: [&str; 2] = ["SearchRecordsTable", "SearchPostingsTable"];
/// The table whose rows are kept: invoice numbers must have no gaps.
const KEPT: &str = "InvoicesTable";
/// How long to wait for work in progress.
const TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The result of removing test data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CleanupResult {
    /// Kinds of data, and their numbers.
    pub(crate) removed: Vec<(String, usize)>,
    /// Descriptions of the data that is kept on purpose.
    pub(crate) kept: Vec<String>,
    /// Descriptions of the data that could not be removed, with the errors.
    pub(crate) failed: Vec<String>,
}

type Item = HashMap<String, AttributeValue>;

/// Removes the run's test data, as far as possible: after an error, it continues with the other data.
pub(crate) fn clean(stack: &Stack, run: &str, created: &[CreatedResource]) -> CleanupResult {
    let progress = ui::Progress::start("removing the test data");
    let mut cleanup = Cleanup { stack, ids: Ids::new(run, created), result: CleanupResult::default() };
    cleanup.step("waiting for the queues", |cleanup| {
        cleanup.wait_until("the queues are not empty", Cleanup::queues_are_empty)
    });
    progress.detail("users, clients, keys");
    created.iter().for_each(|resource| cleanup.remove_resource(resource));
    progress.detail("rows");
    cleanup.step("rows", Cleanup::remove_rows);
    progress.detail("files");
    cleanup.step("files", Cleanup::remove_objects);
    progress.detail("dead-letter messages");
    cleanup.step("dead-letter messages", Cleanup::remove_dead_letters);
    progress.detail("search index");
    cleanup.step("the search index", |cleanup| {
        cleanup.wait_until("the search index still contains test orders", Cleanup::index_is_empty)
    });
    progress.done("removed the test data");
    let mut result = cleanup.result;
    result.kept.push(format!(
        "PaymentIntents in test mode, log lines and metrics; emails to success+…@simulator.amazonses.com. Those with \
         products named TEST-{run}-… are from this run"
    ));
    result
}

struct Cleanup<'a> {
    stack: &'a Stack,
    ids: Ids,
    result: CleanupResult,
}

impl Cleanup<'_> {
    fn step(&mut self, what: &str, act: impl FnOnce(&mut Self) -> anyhow::Result<()>) {
        if let Err(error) = act(self) {
            self.result.failed.push(format!("{what}: {error:#}"));
        }
    }

    fn count(&mut self, what: &str, more: usize) {
        if more == 0 {
            return;
        }
        match self.result.removed.iter_mut().find(|(name, _)| name == what) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.result.removed.push((what.to_owned(), more)),
        }
    }

    fn wait_until(
        &self,
        otherwise: &str,
        condition: impl Fn(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        while !condition(self)? {
            anyhow::ensure!(Instant::now() < deadline, "{otherwise} after {} s", TIMEOUT.as_secs());
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn queues_are_empty(&self) -> anyhow::Result<bool> {
        for (name, url) in queues::source_queues(self.stack)? {
            if queues::count(self.stack, &name, &url)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn remove_resource(&mut self, resource: &CreatedResource) {
        let pool = || resource.within.as_deref().context("the user pool is not recorded");
        let cognito = |operation: &str, body| {
            let target = format!("AWSCognitoIdentityProviderService.{operation}");
            self.stack.aws.call("cognito-idp", &target, &body).map(drop)
        };
        let id = &resource.id;
        let (what, removed) = match resource.kind.as_str() {
            "user" => (
                "users",
                pool().and_then(|pool| {
                    cognito("AdminDeleteUser", json!({ "UserPoolId": pool, "Username": id }))
                }),
            ),
            "client" => (
                "partner clients",
                pool().and_then(|pool| {
                    cognito("DeleteUserPoolClient", json!({ "UserPoolId": pool, "ClientId": id }))
                }),
            ),
            "user_pool" => ("other user pools", cognito("DeleteUserPool", json!({ "UserPoolId": id }))),
            "api_key" => ("API keys", self.stack.aws.delete("apigateway", &format!("/apikeys/{id}"))),
            // Rows and files are removed with all others.
            _ => return,
        };
        match removed {
            Ok(()) => self.count(what, 1),
            // Recorded before its creation, which did not happen because the test failed, or already removed.
            Err(error) if format!("{error:#}").contains("NotFound") => {}
            Err(error) => self.result.failed.push(format!("{what}: {id}: {error:#}")),
        }
    }

    /// First reads the rows with the run's prefix, to find its orders; then removes all rows about these.
    fn remove_rows(&mut self) -> anyhow::Result<()> {
        let mut tables = self.stack.resources()?;
        tables.retain(|resource| resource.kind == "AWS::DynamoDB::Table");
        let mut kept = 0_usize;
        for round in 0..2 {
            for table in &tables {
                let found = self.rows(table)?;
                let is_order = |row: &Item| {
                    ["order_id", "subject"].iter().find_map(|key| row.get(*key)?.as_s().ok().cloned())
                };
                found.iter().filter_map(is_order).for_each(|order| self.ids.add_order(&order));
                if table.logical_id == KEPT {
                    kept = found.len();
                } else if round > 0 && !BY_STREAM.contains(&table.logical_id.as_str()) {
                    let keys = self.key_names(table)?;
                    for row in &found {
                        self.delete_row(table, &keys, row)?;
                    }
                    self.count(&format!("rows of {}", table.logical_id), found.len());
                }
            }
        }
        if kept > 0 {
            self.result.kept.push(format!(
                "{kept} rows of {KEPT}: invoice numbers are assigned once, and must have no gaps"
            ));
        }
        Ok(())
    }

    /// The rows of a table that contain test data.
    fn rows(&self, table: &Resource) -> anyhow::Result<Vec<Item>> {
        let scan = self.stack.aws.dynamodb.scan().table_name(&table.physical_id).consistent_read(true);
        let mut pages = scan.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = self.stack.aws.wait(pages.next()) {
            let page = page.map_err(|error| failed("read", table, &DisplayErrorContext(&error)))?;
            let items = page.items.unwrap_or_default();
            found.extend(items.into_iter().filter(|row| row.values().any(|value| self.is_test_data(value))));
        }
        Ok(found)
    }

    fn is_test_data(&self, value: &AttributeValue) -> bool {
        match value {
            AttributeValue::S(text) => self.ids.appear_in(text),
            AttributeValue::Ss(texts) => texts.iter().any(|text| self.ids.appear_in(text)),
            AttributeValue::L(list) => list.iter().any(|value| self.is_test_data(value)),
            AttributeValue::M(map) => {
                map.iter().any(|(name, value)| self.ids.appear_in(name) || self.is_test_data(value))
            }
            _ => false,
        }
    }

    fn key_names(&self, table: &Resource) -> anyhow::Result<Vec<String>> {
        let call = self.stack.aws.dynamodb.describe_table().table_name(&table.physical_id).send();
        let response = self.stack.aws.wait(call);
        let response = response.map_err(|error| failed("read", table, &DisplayErrorContext(&error)))?;
        let schema = response.table.and_then(|table| table.key_schema).unwrap_or_default();
        Ok(schema.into_iter().map(|key| key.attribute_name).collect())
    }

    fn delete_row(&self, table: &Resource, keys: &[String], row: &Item) -> anyhow::Result<()> {
        let key: Item = keys.iter().filter_map(|key| Some((key.clone(), row.get(key)?.clone()))).collect();
        let call =
            self.stack.aws.dynamodb.delete_item().table_name(&table.physical_id).set_key(Some(key)).send();
        let response = self.stack.aws.wait(call);
        response.map(drop).map_err(|error| failed("delete from", table, &DisplayErrorContext(&error)))
    }

    fn remove_objects(&mut self) -> anyhow::Result<()> {
        for bucket in buckets::all(self.stack)? {
            let deleted = buckets::delete(self.stack, &bucket.physical_id, |key| self.ids.appear_in(key))?;
            self.count(&format!("files in {}", bucket.logical_id), deleted);
        }
        Ok(())
    }

    fn remove_dead_letters(&mut self) -> anyhow::Result<()> {
        for queue in DeadLetterQueue::all(self.stack)? {
            if queue.count(self.stack)? == 0 {
                continue;
            }
            let result = queue.sweep(self.stack, &MessageFilter::default(), &mut |message| {
                let is_test_data = self.ids.appear_in(&message.body);
                Ok(if is_test_data { Disposition::Delete } else { Disposition::Keep })
            });
            self.count(&format!("messages in {}", queue.name), result.deleted.len());
            result.error.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// For a deleted order, the index keeps an empty row for a while, in case of a late event.
    fn index_is_empty(&self) -> anyhow::Result<bool> {
        let tables = self.stack.resources()?;
        let mut records = tables.iter().filter(|resource| resource.logical_id == BY_STREAM[0]);
        records.try_fold(true, |empty, table| {
            Ok(empty && self.rows(table)?.iter().all(|row| row.contains_key("expires_at")))
        })
    }
}

fn failed(doing: &str, table: &Resource, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot {doing} {}: {error}", table.logical_id)
}
