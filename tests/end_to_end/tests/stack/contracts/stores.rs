//! Stores on newly created tables, with the keys and indexes of `template.yaml`.

use std::sync::{Arc, Mutex};

use ::invoices::adapters::DynamoDbInvoices;
use ::orders::adapters::{DynamoDbOrders, DynamoDbOutbox};
use ::payments::adapters::DynamoDbPayments;
use architecture::template::Template;
use contracts::{invoices, orders, payments, products, search_index};
use end_to_end::Stack;
use http::{Method, StatusCode};
use inventory::adapters::{DynamoDbProducts, DynamoDbReservations};
use platform::clock::SystemClock;
use search::adapters::DynamoDbRows;
use search::postings::PostingsIndex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The properties that a table in the template shares with `CreateTable`.
const SCHEMA: [&str; 4] = ["AttributeDefinitions", "BillingMode", "KeySchema", "GlobalSecondaryIndexes"];

/// Creates tables for one contract at a time, after it has deleted those of the previous one.
pub(super) struct Tables<'a> {
    stack: &'a Stack,
    template: Template,
    created: Mutex<Vec<String>>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(stack: &'a Stack) -> Self {
        Self { stack, template: Template::of_repository().unwrap(), created: Mutex::default() }
    }

    pub(super) async fn orders(&self) -> anyhow::Result<orders::World> {
        let tables = ["OrdersTable", "OutboxTable", "IdempotencyTable", "OrderCountsTable"];
        let [orders, outbox, keys, counts] = self.create(tables).await?;
        let client = self.stack.aws.dynamodb();
        Ok(orders::World {
            orders: Arc::new(DynamoDbOrders::new(client.clone(), orders, outbox.clone(), keys, counts)),
            outbox: Arc::new(DynamoDbOutbox::new(client, outbox)),
        })
    }

    pub(super) async fn inventory(&self) -> anyhow::Result<products::World> {
        let [products, deliveries, reservations] =
            self.create(["ProductsTable", "DeliveriesTable", "ReservationsTable"]).await?;
        let client = self.stack.aws.dynamodb();
        Ok(products::World {
            products: Arc::new(DynamoDbProducts::new(client.clone(), products.clone(), deliveries)),
            reservations: Arc::new(DynamoDbReservations::new(client, reservations, products)),
        })
    }

    pub(super) async fn payments(&self) -> anyhow::Result<payments::World> {
        let [payments] = self.create(["PaymentsTable"]).await?;
        let client = self.stack.aws.dynamodb();
        Ok(payments::World { payments: Arc::new(DynamoDbPayments::new(client, payments)) })
    }

    pub(super) async fn search_index(&self) -> anyhow::Result<search_index::World> {
        let [records, postings] = self.create(["SearchRecordsTable", "SearchPostingsTable"]).await?;
        let rows = DynamoDbRows::new(self.stack.aws.dynamodb(), records, postings);
        Ok(search_index::World { index: Arc::new(PostingsIndex::new(rows, Arc::new(SystemClock))) })
    }

    pub(super) async fn invoices(&self) -> anyhow::Result<invoices::World> {
        let [table] = self.create(["InvoicesTable"]).await?;
        let invoices = DynamoDbInvoices::new(self.stack.aws.dynamodb(), table);
        Ok(invoices::World { invoices: Arc::new(invoices) })
    }

    /// Creates empty tables with the schemas of these logical ids.
    async fn create<const N: usize>(&self, logical: [&str; N]) -> anyhow::Result<[String; N]> {
        self.remove().await?;
        let definitions = self.template.all("AWS::DynamoDB::Table");
        let names = logical.map(|logical| format!("contracts-{logical}-{}", Uuid::new_v4().simple()));
        for (logical, name) in logical.iter().zip(&names) {
            let definition = definitions.get(logical);
            let definition = definition.ok_or_else(|| anyhow::anyhow!("template.yaml has no {logical}"))?;
            let mut request: Map<String, Value> = SCHEMA
                .iter()
                .map(|name| ((*name).to_owned(), definition.property(&format!("/{name}")).clone()))
                .filter(|(_, value)| !value.is_null())
                .collect();
            request.insert("TableName".to_owned(), name.as_str().into());
            self.dynamodb("CreateTable", &Value::Object(request)).await?;
            self.created.lock().unwrap().push(name.clone());
        }
        Ok(names)
    }

    /// Deletes the created tables.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        let created = std::mem::take(&mut *self.created.lock().unwrap());
        for name in created {
            self.dynamodb("DeleteTable", &json!({ "TableName": name })).await?;
        }
        Ok(())
    }

    async fn dynamodb(&self, operation: &str, request: &Value) -> anyhow::Result<()> {
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target.as_str())];
        let response =
            self.stack.aws_request("dynamodb", Method::POST, "/", &headers, &request.to_string()).await?;
        response.expect(StatusCode::OK).map(drop)
    }
}
