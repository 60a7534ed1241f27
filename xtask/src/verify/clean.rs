//! Removing what a run made.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::{Ids, Made};
use crate::queues::{self, DeadLetterQueue, Fate, Which};
use crate::stack::{Resource, Stack};
use crate::{buckets, ui};

/// Whose rows are removed by the function that follows the orders, once these are gone.
const BY_STREAM: [&str; 2] = ["SearchRecordsTable", "SearchPostingsTable"];
/// Whose rows stay: the numbers of invoices have no gap.
const KEPT: &str = "InvoicesTable";
/// How long what is still on its way may take.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(2);

/// What was removed, and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cleaned {
    /// What, and how many.
    pub(crate) removed: Vec<(String, usize)>,
    /// What stays on purpose, in words.
    pub(crate) stays: Vec<String>,
    /// What should have gone.
    pub(crate) failed: Vec<String>,
}

type Item = HashMap<String, AttributeValue>;

/// Removes the run's test data, as far as it goes: an error keeps nothing else from being removed.
pub(crate) fn clean(stack: &Stack, run: &str, made: &[Made]) -> Cleaned {
    let progress = ui::Progress::start("removing the test data");
    let mut cleaning = Cleaning { stack, ids: Ids::of(run, made), done: Cleaned::default() };
    cleaning.step("waiting for the queues", |cleaning| {
        cleaning.until("messages still wait", Cleaning::queues_are_empty)
    });
    progress.detail("users, clients, keys");
    made.iter().for_each(|made| cleaning.remove_made(made));
    progress.detail("rows");
    cleaning.step("rows", Cleaning::remove_rows);
    progress.detail("files");
    cleaning.step("files", Cleaning::remove_objects);
    progress.detail("dead letters");
    cleaning.step("dead letters", Cleaning::remove_dead_letters);
    progress.detail("search index");
    cleaning.step("the search index", |cleaning| {
        cleaning.until("the search still knows test orders", Cleaning::index_is_empty)
    });
    progress.done("removed the test data");
    let mut done = cleaning.done;
    done.stays.push(format!(
        "PaymentIntents of test mode, log lines and metrics; mails to success+…@simulator.amazonses.com. Products named \
         TEST-{run}-… in them are this run's"
    ));
    done
}

struct Cleaning<'a> {
    stack: &'a Stack,
    ids: Ids,
    done: Cleaned,
}

impl Cleaning<'_> {
    fn step(&mut self, what: &str, act: impl FnOnce(&mut Self) -> anyhow::Result<()>) {
        if let Err(error) = act(self) {
            self.done.failed.push(format!("{what}: {error:#}"));
        }
    }

    fn count(&mut self, what: &str, more: usize) {
        if more == 0 {
            return;
        }
        match self.done.removed.iter_mut().find(|(name, _)| name == what) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.done.removed.push((what.to_owned(), more)),
        }
    }

    fn until(&self, otherwise: &str, is_so: impl Fn(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self)? {
            anyhow::ensure!(Instant::now() < deadline, "{otherwise} after {} s", PATIENCE.as_secs());
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn queues_are_empty(&self) -> anyhow::Result<bool> {
        for (name, url) in queues::sources(self.stack)? {
            if queues::count(self.stack, &name, &url)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn remove_made(&mut self, made: &Made) {
        let pool = || made.within.as_deref().context("made within no user pool");
        let cognito = |operation: &str, body| {
            let target = format!("AWSCognitoIdentityProviderService.{operation}");
            self.stack.aws.call("cognito-idp", &target, &body).map(drop)
        };
        let id = &made.id;
        let (what, removed) = match made.kind.as_str() {
            "user" => (
                "users",
                pool().and_then(|pool| {
                    cognito("AdminDeleteUser", json!({ "UserPoolId": pool, "Username": id }))
                }),
            ),
            "client" => (
                "clients of partners",
                pool().and_then(|pool| {
                    cognito("DeleteUserPoolClient", json!({ "UserPoolId": pool, "ClientId": id }))
                }),
            ),
            "user_pool" => ("other user pools", cognito("DeleteUserPool", json!({ "UserPoolId": id }))),
            "api_key" => ("API keys", self.stack.aws.delete("apigateway", &format!("/apikeys/{id}"))),
            // Rows and files, which are removed with all others.
            _ => return,
        };
        match removed {
            Ok(()) => self.count(what, 1),
            // Made, noted and gone: a test that failed may have been about to make it.
            Err(error) if format!("{error:#}").contains("NotFound") => {}
            Err(error) => self.done.failed.push(format!("{what}: {id}: {error:#}")),
        }
    }

    /// First the rows that hold the run's mark, from which the orders are known; then all that are about these.
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
                found.iter().filter_map(is_order).for_each(|order| self.ids.learn(&order));
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
            self.done.stays.push(format!(
                "{kept} rows of {KEPT}: an invoice's number is given once, and none may be missing"
            ));
        }
        Ok(())
    }

    /// The rows of a table that are test data.
    fn rows(&self, table: &Resource) -> anyhow::Result<Vec<Item>> {
        let scan = self.stack.aws.dynamodb.scan().table_name(&table.physical_id).consistent_read(true);
        let mut pages = scan.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = self.stack.aws.wait(pages.next()) {
            let page = page.map_err(|error| failed("read", table, &DisplayErrorContext(&error)))?;
            let items = page.items.unwrap_or_default();
            found.extend(items.into_iter().filter(|row| row.values().any(|value| self.is_in(value))));
        }
        Ok(found)
    }

    fn is_in(&self, value: &AttributeValue) -> bool {
        match value {
            AttributeValue::S(text) => self.ids.are_in(text),
            AttributeValue::Ss(texts) => texts.iter().any(|text| self.ids.are_in(text)),
            AttributeValue::L(list) => list.iter().any(|value| self.is_in(value)),
            AttributeValue::M(map) => {
                map.iter().any(|(name, value)| self.ids.are_in(name) || self.is_in(value))
            }
            _ => false,
        }
    }

    fn key_names(&self, table: &Resource) -> anyhow::Result<Vec<String>> {
        let call = self.stack.aws.dynamodb.describe_table().table_name(&table.physical_id).send();
        let answer = self.stack.aws.wait(call);
        let answer = answer.map_err(|error| failed("read", table, &DisplayErrorContext(&error)))?;
        let schema = answer.table.and_then(|table| table.key_schema).unwrap_or_default();
        Ok(schema.into_iter().map(|key| key.attribute_name).collect())
    }

    fn delete_row(&self, table: &Resource, keys: &[String], row: &Item) -> anyhow::Result<()> {
        let key: Item = keys.iter().filter_map(|key| Some((key.clone(), row.get(key)?.clone()))).collect();
        let call =
            self.stack.aws.dynamodb.delete_item().table_name(&table.physical_id).set_key(Some(key)).send();
        let answer = self.stack.aws.wait(call);
        answer.map(drop).map_err(|error| failed("delete from", table, &DisplayErrorContext(&error)))
    }

    fn remove_objects(&mut self) -> anyhow::Result<()> {
        for bucket in buckets::all(self.stack)? {
            let deleted = buckets::delete(self.stack, &bucket.physical_id, |key| self.ids.are_in(key))?;
            self.count(&format!("files in {}", bucket.logical_id), deleted);
        }
        Ok(())
    }

    fn remove_dead_letters(&mut self) -> anyhow::Result<()> {
        for queue in DeadLetterQueue::all(self.stack)? {
            if queue.count(self.stack)? == 0 {
                continue;
            }
            let swept = queue.sweep(self.stack, &Which::default(), &mut |letter| {
                Ok(if self.ids.are_in(&letter.body) { Fate::Remove } else { Fate::Stay })
            });
            self.count(&format!("messages in {}", queue.name), swept.removed.len());
            swept.stopped.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Of an order that is deleted, the index keeps an empty row for a while, so that a late event finds it.
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
