//! The tables of a stack, read as a snapshot. How their rows look is in `lambdas/*/src/adapters/`.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::order::Order;
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::{Event, EventId, OrderId, Sku};
use invariants::{Rule, Snapshot, Stock, Violation};
use serde::de::DeserializeOwned;

use super::{Look, mails};
use crate::stack::Stack;
use crate::{signals, ui};

/// A row, as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Reads the tables of one stack.
pub(crate) struct Tables<'a> {
    stack: &'a Stack,
    /// The tables' names, by their names in the template.
    names: BTreeMap<String, String>,
}

impl<'a> Tables<'a> {
    /// Finds the tables of the stack.
    pub(crate) fn of(stack: &'a Stack) -> anyhow::Result<Self> {
        let tables =
            stack.resources()?.into_iter().filter(|resource| resource.kind == "AWS::DynamoDB::Table");
        let names = tables.map(|resource| (resource.logical_id, resource.physical_id)).collect();
        Ok(Self { stack, names })
    }

    /// The order service's record of one order.
    pub(crate) fn order(&self, id: OrderId) -> anyhow::Result<Option<Order>> {
        self.get("OrdersTable", id)?.map(|row| json(&row, "order")).transpose()
    }

    /// The inventory's.
    pub(crate) fn reservation(&self, id: OrderId) -> anyhow::Result<Option<Reservation>> {
        self.get("ReservationsTable", id)?.map(|row| json(&row, "reservation")).transpose()
    }

    /// The payment service's.
    pub(crate) fn payment(&self, id: OrderId) -> anyhow::Result<Option<Payment>> {
        self.get("PaymentsTable", id)?.map(|row| json(&row, "payment")).transpose()
    }

    /// Whether the mail of that kind is known to have gone out.
    pub(crate) fn was_sent(&self, id: OrderId, kind: &str) -> anyhow::Result<bool> {
        Ok(self.mails_of(id)?.iter().any(|mail| mail.kind == kind))
    }

    /// How many events wait in the outbox.
    pub(crate) fn waiting(&self) -> anyhow::Result<u64> {
        let mut rows = 0_u64;
        self.scan("OutboxTable", None, |_| rows = rows.saturating_add(1))?;
        Ok(rows)
    }

    /// One order again, in all tables.
    pub(super) fn one(&self, look: &mut Look, id: OrderId) -> anyhow::Result<()> {
        let found = self.mails_of(id)?;
        look.snapshot.emails.retain(|mail| mail.order_id != id);
        look.snapshot.emails.extend(found);
        look.snapshot.orders.remove(&id);
        if let Some(row) = self.get("OrdersTable", id)? {
            look.order(&row);
        }
        look.snapshot.reservations.remove(&id);
        if let Some(row) = self.get("ReservationsTable", id)? {
            look.reservation(&row);
        }
        look.snapshot.payments.remove(&id);
        if let Some(row) = self.get("PaymentsTable", id)? {
            look.payment(&row);
        }
        Ok(())
    }

    pub(super) fn orders(&self, look: &mut Look, progress: &ui::Progress) -> anyhow::Result<()> {
        self.scan("OrdersTable", Some(progress), |row| look.order(row))
    }

    pub(super) fn payments(&self, look: &mut Look, progress: &ui::Progress) -> anyhow::Result<()> {
        self.scan("PaymentsTable", Some(progress), |row| look.payment(row))
    }

    pub(super) fn reservations(&self, look: &mut Look, progress: &ui::Progress) -> anyhow::Result<()> {
        look.snapshot.reservations.clear();
        self.scan("ReservationsTable", Some(progress), |row| look.reservation(row))
    }

    pub(super) fn outbox(&self, look: &mut Look, progress: &ui::Progress) -> anyhow::Result<()> {
        look.snapshot.outbox.clear();
        self.scan("OutboxTable", Some(progress), |row| match json::<Event>(row, "event") {
            Ok(event) => {
                let key = text(row, "event_id").ok().and_then(|id| id.parse::<uuid::Uuid>().ok());
                look.snapshot.outbox.insert(key.map_or(event.id, EventId::from), event);
            }
            Err(error) => look.fault(None, format!("a row of the outbox is not understood: {error:#}")),
        })
    }

    pub(super) fn mails(&self, snapshot: &mut Snapshot, progress: &ui::Progress) -> anyhow::Result<()> {
        let mut wrong = None;
        self.scan(mails::TABLE, Some(progress), |row| match mails::read(row) {
            Ok(mail) => snapshot.emails.extend(mail),
            Err(error) => wrong = Some(error),
        })?;
        wrong.map_or(Ok(()), Err)
    }

    pub(super) fn stock(&self, progress: &ui::Progress) -> anyhow::Result<BTreeMap<Sku, Stock>> {
        let (mut stock, mut wrong) = (BTreeMap::new(), None);
        self.scan("ProductsTable", Some(progress), |row| match product(row) {
            Ok((sku, counters)) => drop(stock.insert(sku, counters)),
            Err(error) => wrong = Some(error),
        })?;
        wrong.map_or(Ok(stock), Err)
    }

    pub(super) fn deliveries(&self, snapshot: &mut Snapshot, progress: &ui::Progress) -> anyhow::Result<()> {
        snapshot.delivered.clear();
        let mut wrong = None;
        self.scan("DeliveriesTable", Some(progress), |row| match delivery(row) {
            Ok((sku, pieces)) => {
                let sum = snapshot.delivered.entry(sku).or_default();
                *sum = sum.saturating_add(pieces);
            }
            Err(error) => wrong = Some(error),
        })?;
        wrong.map_or(Ok(()), Err)
    }

    fn mails_of(&self, id: OrderId) -> anyhow::Result<Vec<invariants::Email>> {
        let call = self.stack.aws.dynamodb.query().table_name(self.name(mails::TABLE)?).consistent_read(true);
        let call = call
            .key_condition_expression("subject = :order")
            .expression_attribute_values(":order", AttributeValue::S(id.to_string()))
            .send();
        let answer =
            self.stack.aws.wait(call).map_err(|error| failed(mails::TABLE, &DisplayErrorContext(&error)))?;
        let rows = answer.items.unwrap_or_default();
        Ok(rows.iter().map(mails::read).collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn get(&self, table: &str, id: OrderId) -> anyhow::Result<Option<Item>> {
        let call = self.stack.aws.dynamodb.get_item().table_name(self.name(table)?).consistent_read(true);
        let call = call.key("order_id", AttributeValue::S(id.to_string())).send();
        let answer =
            self.stack.aws.wait(call).map_err(|error| failed(table, &DisplayErrorContext(&error)))?;
        Ok(answer.item)
    }

    fn scan(
        &self,
        table: &str,
        progress: Option<&ui::Progress>,
        mut take: impl FnMut(&Item),
    ) -> anyhow::Result<()> {
        let mut pages = self
            .stack
            .aws
            .dynamodb
            .scan()
            .table_name(self.name(table)?)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut rows = 0_usize;
        while let Some(page) = self.stack.aws.wait(pages.next()) {
            signals::check()?;
            let page = page.map_err(|error| failed(table, &DisplayErrorContext(&error)))?;
            page.items().iter().for_each(&mut take);
            rows = rows.saturating_add(page.items().len());
            if let Some(progress) = progress {
                progress.detail(&format!("{table}: {rows}"));
            }
        }
        Ok(())
    }

    fn name(&self, table: &str) -> anyhow::Result<&str> {
        let name = self.names.get(table).map(String::as_str);
        name.with_context(|| {
            format!("stack {} has no {table}: was it deployed from another version?", self.stack.name)
        })
    }
}

impl Look {
    fn fault(&mut self, order_id: Option<OrderId>, detail: String) {
        self.faults.push(Violation { rule: Rule::RecordsAgree, order_id, detail });
    }

    /// Takes in a row; one that is not understood is a fault of the order that it names.
    fn take<T: DeserializeOwned>(&mut self, row: &Item, field: &str) -> Option<(OrderId, T)> {
        let id = text(row, "order_id").and_then(|id| Ok(id.parse::<OrderId>()?));
        match (id, json::<T>(row, field)) {
            (Ok(id), Ok(record)) => Some((id, record)),
            (id, Err(error)) => {
                self.fault(id.ok(), format!("its {field} is not understood: {error:#}"));
                None
            }
            (Err(error), _) => {
                self.fault(None, format!("a row with a {field} is not understood: {error:#}"));
                None
            }
        }
    }

    fn order(&mut self, row: &Item) {
        let Some((id, order)) = self.take::<Order>(row, "order") else { return };
        // The columns that the indexes go by are a second copy of what the order says.
        let status = serde_json::to_value(order.status()).unwrap_or_default();
        if status.as_str() != text(row, "status").ok() {
            let column = text(row, "status").unwrap_or("missing").to_owned();
            self.fault(Some(id), format!("the row's status is {column}, the order's is {status}"));
        }
        if order.status().is_final() == row.contains_key("open_shard") {
            let detail = if order.status().is_final() {
                "is final, but still in the index of open orders"
            } else {
                "is open, but not in the index of open orders: it will never expire"
            };
            self.fault(Some(id), detail.to_owned());
        }
        self.snapshot.orders.insert(id, order);
    }

    fn reservation(&mut self, row: &Item) {
        let Some((id, reservation)) = self.take::<Reservation>(row, "reservation") else { return };
        self.same_state(id, row, reservation.state.name());
        self.snapshot.reservations.insert(id, reservation);
    }

    fn payment(&mut self, row: &Item) {
        let Some((id, payment)) = self.take::<Payment>(row, "payment") else { return };
        let state = serde_json::to_value(&payment.state).unwrap_or_default();
        let state = state.get("state").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        self.same_state(id, row, &state);
        self.snapshot.payments.insert(id, payment);
    }

    /// The column beside the record, which the next write's condition may look at.
    fn same_state(&mut self, id: OrderId, row: &Item, state: &str) {
        let column = text(row, "state").unwrap_or("missing").to_owned();
        if column != state {
            self.fault(Some(id), format!("a row's state is {column}, but its record is {state}"));
        }
    }
}

fn product(row: &Item) -> anyhow::Result<(Sku, Stock)> {
    let stock = Stock {
        available: number(row, "available")?,
        held: number(row, "held")?,
        sold: number(row, "sold")?,
    };
    Ok((text(row, "sku")?.parse()?, stock))
}

fn delivery(row: &Item) -> anyhow::Result<(Sku, i64)> {
    Ok((text(row, "sku")?.parse()?, number(row, "quantity")?))
}

/// A text column.
pub(super) fn text<'a>(row: &'a Item, name: &str) -> anyhow::Result<&'a str> {
    let value = row.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).with_context(|| format!("a row without a {name}"))
}

fn number(row: &Item, name: &str) -> anyhow::Result<i64> {
    let value = row.get(name).and_then(|value| value.as_n().ok());
    let value = value.with_context(|| format!("a row without a {name}"))?;
    value.parse().with_context(|| format!("{name} is {value}"))
}

fn json<T: DeserializeOwned>(row: &Item, name: &str) -> anyhow::Result<T> {
    // The text may hold names and addresses: the error tells what is wrong, not what is there.
    serde_json::from_str(text(row, name)?).map_err(|error| {
        anyhow::anyhow!("line {} column {}: {:?}", error.line(), error.column(), error.classify())
    })
}

fn failed(table: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot read {table}: {error}")
}
