//! Reading a stack: its tables, its queues and the provider, by what CloudFormation says they are called.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::order::Order;
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::{Event, Sku};
use invariants::{DeadMessage, Mail, Snapshot, Stock};
use serde::de::DeserializeOwned;

use super::provider::Provider;
use crate::names::DEAD_LETTERS;
use crate::queues::depth;
use crate::stack::Stack;
use crate::ui::Progress;

type Item = HashMap<String, AttributeValue>;

/// Where everything is.
pub(super) struct Source {
    /// Physical names of tables and addresses of queues, by logical id.
    tables: BTreeMap<String, String>,
    queues: BTreeMap<String, String>,
    provider: Provider,
}

/// What one look has read.
pub(super) struct Look {
    pub(super) snapshot: Snapshot,
    pub(super) counts: Vec<(&'static str, usize)>,
    /// Products whose counters changed meanwhile: what was read of them does not fit together.
    pub(super) moving: Vec<Sku>,
}

impl Source {
    pub(super) fn of(stack: &Stack) -> anyhow::Result<Self> {
        let (mut tables, mut queues, mut secret) = (BTreeMap::new(), BTreeMap::new(), None);
        for resource in stack.resources()? {
            match resource.kind.as_str() {
                "AWS::DynamoDB::Table" => drop(tables.insert(resource.logical_id, resource.physical_id)),
                "AWS::SQS::Queue" => drop(queues.insert(resource.logical_id, resource.physical_id)),
                "AWS::SecretsManager::Secret" if resource.logical_id == "StripeSecret" => {
                    secret = Some(resource.physical_id);
                }
                _ => {}
            }
        }
        let base = stack.parameter("StripeApiBase")?;
        let key = match std::env::var("STRIPE_SECRET_KEY") {
            Ok(key) => key,
            Err(_) => {
                let secret = secret.with_context(|| format!("stack {} has no StripeSecret", stack.name))?;
                let call = stack.aws.secrets.get_secret_value().secret_id(secret).send();
                let answer = stack.aws.wait(call).map_err(|error| {
                    anyhow::anyhow!(
                        "the payment provider's key cannot be read: {}. Or pass one in STRIPE_SECRET_KEY",
                        DisplayErrorContext(&error)
                    )
                })?;
                answer.secret_string.context("the payment provider's key is no text")?
            }
        };
        Ok(Self { tables, queues, provider: Provider { base, key } })
    }

    /// Reads all of it. What a record stands on is read after it, so that most of what moves meanwhile still fits:
    /// mails before the charges, orders before reservations and payments.
    pub(super) fn read(&self, stack: &Stack) -> anyhow::Result<Look> {
        let progress = Progress::start("reading");
        let mails = self.mails(stack, &progress)?;
        let orders: Vec<Order> = self.documents(stack, "OrdersTable", "order", &progress)?;
        let stock_before = self.stock(stack, &progress)?;
        let reservations: Vec<Reservation> =
            self.documents(stack, "ReservationsTable", "reservation", &progress)?;
        let stock = self.stock(stack, &progress)?;
        let delivered = self.delivered(stack, &progress)?;
        let payments: Vec<Payment> = self.documents(stack, "PaymentsTable", "payment", &progress)?;
        let intents = self.provider.intents(&|count| progress.detail(&format!("PaymentIntents: {count}")))?;
        let outbox: Vec<Event> = self.documents(stack, "OutboxTable", "event", &progress)?;
        let (mut queued, mut dead) = (BTreeMap::new(), Vec::new());
        for (name, url) in &self.queues {
            let messages = depth(stack, name, url)?;
            if name.ends_with(DEAD_LETTERS) {
                dead.extend((0..messages).map(|_| DeadMessage { queue: name.clone(), order_id: None }));
            } else {
                queued.insert(name.clone(), messages);
            }
        }
        progress.done("everything is read");
        let counts = vec![
            ("orders", orders.len()),
            ("products", stock.len()),
            ("reservations", reservations.len()),
            ("payments", payments.len()),
            ("PaymentIntents at the provider", intents.len()),
            ("mails", mails.len()),
            ("events in the outbox", outbox.len()),
            ("messages in queues", usize::try_from(queued.values().sum::<u64>())?),
            ("dead letters", dead.len()),
        ];
        let moving = stock.iter().filter(|(sku, counters)| stock_before.get(sku) != Some(counters));
        Ok(Look {
            moving: moving.map(|(sku, _)| sku.clone()).collect(),
            counts,
            snapshot: Snapshot {
                orders: orders.into_iter().map(|order| (order.id, order)).collect(),
                reservations: reservations.into_iter().map(|found| (found.order_id, found)).collect(),
                payments: payments.into_iter().map(|payment| (payment.order_id, payment)).collect(),
                outbox: outbox.into_iter().map(|event| (event.id, event)).collect(),
                stock,
                delivered,
                intents,
                mails,
                queued,
                dead,
            },
        })
    }

    /// The attribute `name` of each row, which holds a document as JSON.
    fn documents<T: DeserializeOwned>(
        &self,
        stack: &Stack,
        table: &str,
        name: &str,
        progress: &Progress,
    ) -> anyhow::Result<Vec<T>> {
        let rows = self.scan(stack, table, progress)?;
        let document = |row: &Item| {
            let text = text(row, name).with_context(|| format!("a row of {table} has no {name}"))?;
            serde_json::from_str(text).with_context(|| format!("a row of {table} is not understood: {text}"))
        };
        rows.iter().map(document).collect()
    }

    /// The mails that are noted as sent.
    fn mails(&self, stack: &Stack, progress: &Progress) -> anyhow::Result<Vec<Mail>> {
        let mut mails = Vec::new();
        for row in self.scan(stack, "EmailsTable", progress)? {
            let claim: serde_json::Value = serde_json::from_str(text(&row, "claim").unwrap_or("null"))?;
            let order = text(&row, "subject").context("a row of EmailsTable has no subject")?;
            if claim["status"] == "completed" {
                let kind = text(&row, "effect").unwrap_or_default();
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                mails.push(Mail { order_id: order.parse().map_err(anyhow::Error::from)?, kind });
            }
        }
        Ok(mails)
    }

    fn stock(&self, stack: &Stack, progress: &Progress) -> anyhow::Result<BTreeMap<Sku, Stock>> {
        let rows = self.scan(stack, "ProductsTable", progress)?;
        let read = |row: &Item| {
            let stock = Stock {
                available: number(row, "available")?,
                held: number(row, "held")?,
                sold: number(row, "sold")?,
            };
            Ok((sku(row)?, stock))
        };
        rows.iter().map(read).collect()
    }

    fn delivered(&self, stack: &Stack, progress: &Progress) -> anyhow::Result<BTreeMap<Sku, i64>> {
        let mut delivered: BTreeMap<Sku, i64> = BTreeMap::new();
        for row in self.scan(stack, "DeliveriesTable", progress)? {
            let sum = delivered.entry(sku(&row)?).or_default();
            *sum = sum.saturating_add(number(&row, "quantity")?);
        }
        Ok(delivered)
    }

    /// All rows of a table, each as it is now.
    fn scan(&self, stack: &Stack, table: &str, progress: &Progress) -> anyhow::Result<Vec<Item>> {
        let name = self.tables.get(table).with_context(|| format!("stack {} has no {table}", stack.name))?;
        let pages = stack.aws.dynamodb.scan().table_name(name).consistent_read(true).into_paginator();
        let mut pages = pages.send();
        let mut rows = Vec::new();
        while let Some(page) = stack.aws.wait(pages.next()) {
            crate::signals::check()?;
            let page = page.map_err(|error| anyhow::anyhow!("{table}: {}", DisplayErrorContext(&error)))?;
            rows.extend(page.items.unwrap_or_default());
            progress.detail(&format!("{table}: {}", rows.len()));
        }
        Ok(rows)
    }
}

fn text<'a>(row: &'a Item, name: &str) -> Option<&'a str> {
    row.get(name)?.as_s().ok().map(String::as_str)
}

fn sku(row: &Item) -> anyhow::Result<Sku> {
    let text = text(row, "sku").context("a row without a SKU")?;
    text.parse().map_err(|error| anyhow::anyhow!("{text}: {error}"))
}

fn number(row: &Item, name: &str) -> anyhow::Result<i64> {
    let number = row.get(name).and_then(|value| value.as_n().ok());
    Ok(number.with_context(|| format!("a row without {name}"))?.parse()?)
}
