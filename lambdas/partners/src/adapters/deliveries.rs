//! Deliveries in DynamoDB.

use std::collections::HashMap;

use anyhow::Context;
use async_trait::async_trait;
use aws::dynamodb::{cut_to_page, number, page_limit, put_if, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::EventId;
use jiff::Timestamp;
use platform::config;
use platform::optimistic::Versioned;
use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, DeliveryState, RETENTION};
use crate::store::{Deliveries, Page, Position};
use crate::webhook::WebhookId;

/// The table of deliveries, and its index that lists them by time.
#[derive(Debug, Clone)]
pub struct DynamoDbDeliveries {
    client: Client,
    table: String,
}

type Item = HashMap<String, AttributeValue>;

/// The delivery as JSON, and the attributes that the index and the expiry need.
#[derive(Serialize, Deserialize)]
struct DeliveryItem {
    webhook_id: WebhookId,
    event_id: EventId,
    position: String,
    state: DeliveryState,
    version: u64,
    expires_at: i64,
    delivery: String,
}

fn write_item(delivery: &Delivery, version: u64) -> anyhow::Result<Item> {
    let item = DeliveryItem {
        webhook_id: delivery.webhook,
        event_id: delivery.event_id(),
        position: Position::from_delivery(delivery).to_string(),
        state: delivery.state,
        version,
        expires_at: delivery.created_at.saturating_add(RETENTION).unwrap_or(Timestamp::MAX).as_second(),
        delivery: serde_json::to_string(delivery)?,
    };
    serde_dynamo::to_item(item).context("a delivery could not be serialized")
}

fn read_item(item: Item) -> anyhow::Result<Versioned<Delivery>> {
    let item: DeliveryItem =
        serde_dynamo::from_item(item).context("an item of the deliveries table cannot be parsed")?;
    let value = serde_json::from_str(&item.delivery).context("a delivery in the table cannot be parsed")?;
    Ok(Versioned { value, version: item.version })
}

impl DynamoDbDeliveries {
    /// The table in `WEBHOOK_DELIVERIES_TABLE`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self::new(client, config::required("WEBHOOK_DELIVERIES_TABLE")?))
    }

    /// The table with the given name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

#[async_trait]
impl Deliveries for DynamoDbDeliveries {
    async fn get(&self, webhook: WebhookId, event: EventId) -> anyhow::Result<Option<Versioned<Delivery>>> {
        let response = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("webhook_id", text(webhook))
            .key("event_id", text(event))
            .consistent_read(true)
            .send()
            .await
            .context("the delivery could not be read")?;
        response.item.map(read_item).transpose()
    }

    async fn write(
        &self,
        read: Option<&Versioned<Delivery>>,
        delivery: &Delivery,
    ) -> anyhow::Result<Option<Versioned<Delivery>>> {
        let version = read.map_or(1, |read| read.version.saturating_add(1));
        let put =
            self.client.put_item().table_name(&self.table).set_item(Some(write_item(delivery, version)?));
        let put = match read {
            None => put.condition_expression("attribute_not_exists(webhook_id)"),
            Some(read) => put
                .condition_expression("version = :read")
                .expression_attribute_values(":read", number(read.version)),
        };
        let is_written = put_if(put).await.context("the delivery could not be written")?;
        Ok(is_written.then(|| Versioned { value: delivery.clone(), version }))
    }

    async fn list(&self, webhook: WebhookId, after: Option<&Position>, limit: u32) -> anyhow::Result<Page> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_time")
            .key_condition_expression("webhook_id = :webhook")
            .expression_attribute_values(":webhook", text(webhook))
            .scan_index_forward(false)
            .limit(page_limit(limit));
        if let Some(after) = after {
            query = query
                .exclusive_start_key("webhook_id", text(webhook))
                .exclusive_start_key("event_id", text(after.event))
                .exclusive_start_key("position", text(after));
        }
        let response = query.send().await.context("the deliveries could not be listed")?;
        let is_incomplete = response.last_evaluated_key.is_some();
        let mut items = response.items.unwrap_or_default();
        let has_more = cut_to_page(&mut items, limit, is_incomplete);
        let deliveries: Vec<Delivery> =
            items.into_iter().map(|item| Ok(read_item(item)?.value)).collect::<anyhow::Result<_>>()?;
        let next = deliveries.last().filter(|_| has_more).map(Position::from_delivery);
        Ok(Page { deliveries, next })
    }
}

#[cfg(test)]
mod tests {
    use domain::fact::OrderCreated;
    use domain::{Cause, Event, Fact};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::event::PartnerEvent;

    fn event(now: Timestamp) -> Event {
        let order = serde_json::from_value(json!({
            "customer": {
                "id": "client1.42", "name": "Ada Lovelace", "email": "ada@example.com", "language": "de",
                "address": {"recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB"},
            },
            "payment_method": "pm_card_visa",
            "lines": [{"sku": "TEA-001", "quantity": 2, "unit_price": {"amount": 1250, "currency": "EUR"}}],
            "total": {"amount": 2500, "currency": "EUR"},
            "placed_at": "2026-11-23T10:15:30Z",
        }));
        let fact = Fact::OrderCreated(OrderCreated { order: order.unwrap() });
        let cause =
            Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
        Event::new(Uuid::from_u128(1).into(), fact, now, cause)
    }

    #[test]
    fn a_delivery_survives_a_round_trip_and_contains_only_what_it_needs() {
        let now: Timestamp = "2026-11-23T10:15:30.123456789Z".parse().unwrap();
        let event = event(now);
        let stored = PartnerEvent::from_event(&event).unwrap();
        let delivery = Delivery::new(Uuid::from_u128(2).into(), stored, now);
        let item = write_item(&delivery, 7).unwrap();
        assert_eq!(item["position"], text(format!("2026-11-23T10:15:30.123456Z#{}", event.id)));
        assert_eq!(item["webhook_id"], text(Uuid::from_u128(2)));
        assert_eq!(item["expires_at"], AttributeValue::N("1798020930".to_owned()));
        let written: serde_json::Value = serde_json::from_str(item["delivery"].as_s().unwrap()).unwrap();
        let expected = json!({
            "id": event.id, "type": "order.created", "subject": event.subject, "time": now,
            "correlationid": "request-1", "customer_id": "client1.42",
            "total": {"amount": 2500, "currency": "EUR"},
        });
        assert_eq!(written["event"], expected);
        assert_eq!(read_item(item).unwrap(), Versioned { value: delivery.clone(), version: 7 });
        let position = Position::from_delivery(&delivery);
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    /// Deliveries of earlier versions contain the event of the bus.
    #[test]
    fn a_delivery_with_the_whole_event_can_be_read() {
        let now: Timestamp = "2026-11-23T10:15:30Z".parse().unwrap();
        let event = event(now);
        let delivery =
            Delivery::new(Uuid::from_u128(2).into(), PartnerEvent::from_event(&event).unwrap(), now);
        let mut item = write_item(&delivery, 7).unwrap();
        let mut older: serde_json::Value = serde_json::from_str(item["delivery"].as_s().unwrap()).unwrap();
        older["event"] = json!(event);
        item.insert("delivery".to_owned(), text(older));
        assert_eq!(read_item(item).unwrap().value, delivery);
    }
}
