//! `index-order`: keeps the search index in sync with the orders table.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{OrderId, Sku};
use platform::host::stream::{Change, ChangeHandler};
use platform::{Failure, Labels};
use serde_json::{Value, json};

use crate::document::Document;
use crate::image::OrderImage;
use crate::store::{IndexOutcome, OrderIndex, ProductNames};

/// Indexes the changes from the stream of the orders table. Changes may be redelivered, and in any order.
pub struct IndexOrder {
    /// The index of orders.
    pub index: Arc<dyn OrderIndex>,
    /// The source of product names.
    pub names: Arc<dyn ProductNames>,
}

impl IndexOrder {
    /// Indexes an image of an order, with the names of its products as far as they are available.
    ///
    /// # Errors
    /// If the index fails.
    pub async fn index(&self, image: &OrderImage) -> anyhow::Result<IndexOutcome> {
        let skus: Vec<Sku> = image.order.details.lines.iter().map(|line| line.sku.clone()).collect();
        let names = self.names.names(&skus).await;
        self.index.index(Document::from_order(&image.order, image.version, &names)).await
    }
}

fn order_id_text(change: &Change) -> Option<&str> {
    change.keys.get("order_id").and_then(Value::as_str)
}

#[async_trait]
impl ChangeHandler for IndexOrder {
    fn labels(&self, change: &Change) -> Labels {
        let kind = if change.new_image.is_some() { "order written" } else { "order deleted" };
        Labels {
            event_type: Some(kind.to_owned()),
            order_id: order_id_text(change).map(|id| id.chars().take(64).collect()),
            ..Labels::default()
        }
    }

    /// Contains only the keys: the rebuild reads the order from the table, and dead-letter messages hold no
    /// personal data.
    fn dead_letter_body(&self, change: &Change) -> String {
        json!({ "keys": change.keys, "sequence_number": change.sequence_number }).to_string()
    }

    async fn handle_change(&self, change: &Change) -> Result<Vec<&'static str>, Failure> {
        let Some(row) = &change.new_image else {
            let order = order_id_text(change).and_then(|id| id.parse::<OrderId>().ok());
            let order = order.ok_or_else(|| Failure::poison("the deleted row has no valid order_id"))?;
            self.index.remove(order).await?;
            return Ok(Vec::new());
        };
        let image = OrderImage::from_row(row.clone()).map_err(Failure::poison)?;
        let indexed = self.index(&image).await?;
        tracing::debug!(?indexed, version = image.version, "indexed");
        Ok(Vec::new())
    }
}
