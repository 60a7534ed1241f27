//! Newly created tables, with the keys and indexes of `template.yaml`.

use std::sync::Mutex;

use architecture::template::Template;
use async_trait::async_trait;
use contracts::import_stock::EarlierRelease;
use end_to_end::Stack;
use http::{Method, StatusCode};
use inventory::product::Product;
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

    /// Creates empty tables with the schemas of these logical ids.
    pub(super) async fn create<const N: usize>(&self, logical: [&str; N]) -> anyhow::Result<[String; N]> {
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
            dynamodb(self.stack, "CreateTable", &Value::Object(request)).await?;
            self.created.lock().unwrap().push(name.clone());
        }
        Ok(names)
    }

    /// Deletes the created tables.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        let created = std::mem::take(&mut *self.created.lock().unwrap());
        for name in created {
            dynamodb(self.stack, "DeleteTable", &json!({ "TableName": name })).await?;
        }
        Ok(())
    }
}

async fn dynamodb(stack: &Stack, operation: &str, request: &Value) -> anyhow::Result<()> {
    let target = format!("DynamoDB_20120810.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target.as_str())];
    let response = stack.aws_request("dynamodb", Method::POST, "/", &headers, &request.to_string()).await?;
    response.expect(StatusCode::OK).map(drop)
}

/// Writes items of the products table as the release before revisions did.
pub(super) struct WithoutRevisions {
    pub(super) stack: Stack,
    pub(super) table: String,
}

#[async_trait]
impl EarlierRelease for WithoutRevisions {
    async fn store(&self, product: &Product) -> anyhow::Result<()> {
        let number = |value: u32| json!({ "N": value.to_string() });
        let price = json!({
            "amount": number(product.price.minor_units()),
            "currency": { "S": product.price.currency },
        });
        let item = json!({
            "sku": { "S": product.sku },
            "name": { "S": product.name },
            "price": { "M": price },
            "available": number(product.available),
            "held": number(product.held),
            "sold": number(product.sold),
        });
        dynamodb(&self.stack, "PutItem", &json!({ "TableName": self.table, "Item": item })).await
    }
}
