//! Reads the tables of a stack into a snapshot. For the format of the rows, see `lambdas/*/src/adapters/`.

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
use terminal::{signals, ui};

use super::{Observation, mails};
use crate::stack::Stack;

/// A row, as the SDK returns it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The tables of one stack.
pub struct Tables<'a> {
    stack: &'a Stack,
    /// The tables' physical names, by logical id.
    names: BTreeMap<String, String>,
}

impl<'a> Tables<'a> {
    /// Finds the tables of the stack.
    pub fn new(stack: &'a Stack) -> anyhow::Result<Self> {
        let tables =
            stack.resources()?.into_iter().filter(|resource| resource.kind == "AWS::DynamoDB::Table");
        let names = tables.map(|resource| (resource.logical_id, resource.physical_id)).collect();
        Ok(Self { stack, names })
    }

    /// How to call this program for the stack.
    pub(crate) fn program(&self) -> &str {
        &self.stack.target.program
    }

    /// The record of an order in the order service.
    pub fn order(&self, id: OrderId) -> anyhow::Result<Option<Order>> {
        self.get("OrdersTable", id)?.map(|row| json(&row, "order")).transpose()
    }

    /// The reservation of an order in the inventory service.
    pub fn reservation(&self, id: OrderId) -> anyhow::Result<Option<Reservation>> {
        self.get("ReservationsTable", id)?.map(|row| json(&row, "reservation")).transpose()
    }

    /// The payment of an order in the payment service.
    pub fn payment(&self, id: OrderId) -> anyhow::Result<Option<Payment>> {
        self.get("PaymentsTable", id)?.map(|row| json(&row, "payment")).transpose()
    }

    /// Whether an email of this kind is recorded as sent.
    pub fn was_sent(&self, id: OrderId, kind: &str) -> anyhow::Result<bool> {
        Ok(self.mails_of(id)?.iter().any(|mail| mail.kind == kind))
    }

    /// The number of events in the outbox.
    pub fn outbox_size(&self) -> anyhow::Result<u64> {
        let mut rows = 0_u64;
        self.scan("OutboxTable", None, |_| rows = rows.saturating_add(1))?;
        Ok(rows)
    }

    /// Reads one order again, in all tables.
    pub(super) fn read_order_again(&self, observed: &mut Observation, id: OrderId) -> anyhow::Result<()> {
        let found = self.mails_of(id)?;
        observed.snapshot.emails.retain(|mail| mail.order_id != id);
        observed.snapshot.emails.extend(found);
        observed.snapshot.orders.remove(&id);
        if let Some(row) = self.get("OrdersTable", id)? {
            observed.add_order(&row);
        }
        observed.snapshot.reservations.remove(&id);
        if let Some(row) = self.get("ReservationsTable", id)? {
            observed.add_reservation(&row);
        }
        observed.snapshot.payments.remove(&id);
        if let Some(row) = self.get("PaymentsTable", id)? {
            observed.add_payment(&row);
        }
        Ok(())
    }

    pub(super) fn orders(&self, observed: &mut Observation, progress: &ui::Progress) -> anyhow::Result<()> {
        self.scan("OrdersTable", Some(progress), |row| observed.add_order(row))
    }

    pub(super) fn payments(&self, observed: &mut Observation, progress: &ui::Progress) -> anyhow::Result<()> {
        self.scan("PaymentsTable", Some(progress), |row| observed.add_payment(row))
    }

    pub(super) fn reservations(
        &self,
        observed: &mut Observation,
        progress: &ui::Progress,
    ) -> anyhow::Result<()> {
        observed.snapshot.reservations.clear();
        self.scan("ReservationsTable", Some(progress), |row| observed.add_reservation(row))
    }

    pub(super) fn outbox(&self, observed: &mut Observation, progress: &ui::Progress) -> anyhow::Result<()> {
        observed.snapshot.outbox.clear();
        self.scan("OutboxTable", Some(progress), |row| match json::<Event>(row, "event") {
            Ok(event) => {
                let key = text(row, "event_id").ok().and_then(|id| id.parse::<uuid::Uuid>().ok());
                observed.snapshot.outbox.insert(key.map_or(event.id, EventId::from), event);
            }
            Err(error) => {
                observed.add_bad_row(None, format!("a row of the outbox cannot be parsed: {error:#}"));
            }
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
        let response =
            self.stack.aws.wait(call).map_err(|error| failed(mails::TABLE, &DisplayErrorContext(&error)))?;
        let rows = response.items.unwrap_or_default();
        Ok(rows.iter().map(mails::read).collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn get(&self, table: &str, id: OrderId) -> anyhow::Result<Option<Item>> {
        let call = self.stack.aws.dynamodb.get_item().table_name(self.name(table)?).consistent_read(true);
        let call = call.key("order_id", AttributeValue::S(id.to_string())).send();
        let response =
            self.stack.aws.wait(call).map_err(|error| failed(table, &DisplayErrorContext(&error)))?;
        Ok(response.item)
    }

    fn scan(
        &self,
        table: &str,
        progress: Option<&ui::Progress>,
        mut on_row: impl FnMut(&Item),
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
            page.items().iter().for_each(&mut on_row);
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
            format!("stack {} has no {table}: was it deployed from another version?", self.stack.name())
        })
    }
}

impl Observation {
    fn add_bad_row(&mut self, order_id: Option<OrderId>, detail: String) {
        self.bad_rows.push(Violation { rule: Rule::RecordsAgree, order_id, detail });
    }

    /// Parses a row. If that fails, it is recorded as a bad row of the order that it names.
    fn parse<T: DeserializeOwned>(&mut self, row: &Item, field: &str) -> Option<(OrderId, T)> {
        let id = text(row, "order_id").and_then(|id| Ok(id.parse::<OrderId>()?));
        match (id, json::<T>(row, field)) {
            (Ok(id), Ok(record)) => Some((id, record)),
            (id, Err(error)) => {
                self.add_bad_row(id.ok(), format!("its {field} cannot be parsed: {error:#}"));
                None
            }
            (Err(error), _) => {
                self.add_bad_row(None, format!("a row with a {field} cannot be parsed: {error:#}"));
                None
            }
        }
    }

    fn add_order(&mut self, row: &Item) {
        let Some((id, order)) = self.parse::<Order>(row, "order") else { return };
        // The columns of the indexes duplicate data of the order.
        let status = order.status().name();
        if text(row, "status").ok() != Some(status) {
            let column = text(row, "status").unwrap_or("missing").to_owned();
            self.add_bad_row(Some(id), format!("the row's status is {column}, the order's is {status}"));
        }
        if order.status().is_final() == row.contains_key("open_shard") {
            let detail = if order.status().is_final() {
                "is final, but still in the index of open orders"
            } else {
                "is open, but not in the index of open orders: it will never expire"
            };
            self.add_bad_row(Some(id), detail.to_owned());
        }
        self.snapshot.orders.insert(id, order);
    }

    fn add_reservation(&mut self, row: &Item) {
        let Some((id, reservation)) = self.parse::<Reservation>(row, "reservation") else { return };
        self.check_state_column(id, row, reservation.state.name());
        self.snapshot.reservations.insert(id, reservation);
    }

    fn add_payment(&mut self, row: &Item) {
        let Some((id, payment)) = self.parse::<Payment>(row, "payment") else { return };
        let state = serde_json::to_value(&payment.state).unwrap_or_default();
        let state = state.get("state").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        self.check_state_column(id, row, &state);
        self.snapshot.payments.insert(id, payment);
    }

    /// Checks the state column of a row, which conditions of the next write may use, against its record.
    fn check_state_column(&mut self, id: OrderId, row: &Item, state: &str) {
        let column = text(row, "state").unwrap_or("missing").to_owned();
        if column != state {
            self.add_bad_row(Some(id), format!("the row's state is {column}, its record's is {state}"));
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

/// The value of a text attribute.
pub(super) fn text<'a>(row: &'a Item, name: &str) -> anyhow::Result<&'a str> {
    let value = row.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).with_context(|| format!("a row has no text attribute {name}"))
}

fn number(row: &Item, name: &str) -> anyhow::Result<i64> {
    let value = row.get(name).and_then(|value| value.as_n().ok());
    let value = value.with_context(|| format!("a row has no number attribute {name}"))?;
    value.parse().with_context(|| format!("{name} is {value}"))
}

fn json<T: DeserializeOwned>(row: &Item, name: &str) -> anyhow::Result<T> {
    // The text may contain names and addresses, so the error only gives the position and kind of the problem.
    serde_json::from_str(text(row, name)?).map_err(|error| {
        anyhow::anyhow!("line {} column {}: {:?}", error.line(), error.column(), error.classify())
    })
}

fn failed(table: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot read {table}: {error}")
}
