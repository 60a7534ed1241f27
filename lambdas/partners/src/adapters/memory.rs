//! In-memory implementations of the ports, for tests and simulations.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{CustomerId, EventId};
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use platform::http_client::{HttpClient, NoResponse};
use platform::lock;
use platform::memory::InjectedFaults;
use platform::optimistic::Versioned;
use serde_json::{Value, json};

use crate::delivery::{Delivery, RETENTION};
use crate::event::PartnerEvent;
use crate::signature::{SECRET_BYTES, SigningSecret};
use crate::store::{Deliveries, DeliveryQueue, Page, Partners, Position, SecretGenerator};
use crate::webhook::{Subscriptions, WebhookId};

/// A store of subscriptions.
#[derive(Debug, Default)]
pub struct InMemoryPartners {
    rows: Mutex<BTreeMap<CustomerId, Versioned<Subscriptions>>>,
    /// Faults of any call.
    pub failures: InjectedFaults,
    /// Calls of `replace` that report a conflict.
    pub conflicts: InjectedFaults,
}

impl InMemoryPartners {
    /// Returns all rows as JSON, as far as the table contains them.
    pub fn to_json(&self) -> Value {
        let rows = lock(&self.rows);
        rows.iter().map(|(id, row)| json!({ "partner_id": id, "webhooks": row.value })).collect()
    }
}

#[async_trait]
impl Partners for InMemoryPartners {
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>> {
        self.failures.check("reading subscriptions")?;
        let found = lock(&self.rows).get(partner).cloned();
        Ok(found.unwrap_or_else(|| Versioned { value: Subscriptions::default(), version: 0 }))
    }

    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool> {
        self.failures.check("writing subscriptions")?;
        if self.conflicts.check("replacing").is_err() {
            return Ok(false);
        }
        let mut rows = lock(&self.rows);
        if rows.get(partner).map_or(0, |row| row.version) != read.version {
            return Ok(false);
        }
        let version = read.version.saturating_add(1);
        rows.insert(partner.clone(), Versioned { value: subscriptions.clone(), version });
        Ok(true)
    }
}

/// A store of deliveries.
#[derive(Debug, Default)]
pub struct InMemoryDeliveries {
    rows: Mutex<BTreeMap<(WebhookId, EventId), Versioned<Delivery>>>,
    /// Faults of `get` and `list`.
    pub failures: InjectedFaults,
    /// Faults of `write`, which then writes nothing.
    pub write_failures: InjectedFaults,
    /// Calls of `write` that report a conflict.
    pub conflicts: InjectedFaults,
}

impl InMemoryDeliveries {
    /// Returns all rows as JSON, as far as the table contains them.
    pub fn to_json(&self) -> Value {
        lock(&self.rows).values().map(|row| json!(row.value)).collect()
    }

    /// Removes the deliveries that the table has deleted by `now`: [`RETENTION`] after their creation.
    pub fn remove_expired(&self, now: Timestamp) {
        lock(&self.rows).retain(|_, row| now.duration_since(row.value.created_at) < RETENTION);
    }
}

#[async_trait]
impl Deliveries for InMemoryDeliveries {
    async fn get(&self, webhook: WebhookId, event: EventId) -> anyhow::Result<Option<Versioned<Delivery>>> {
        self.failures.check("reading a delivery")?;
        Ok(lock(&self.rows).get(&(webhook, event)).cloned())
    }

    async fn write(
        &self,
        read: Option<&Versioned<Delivery>>,
        delivery: &Delivery,
    ) -> anyhow::Result<Option<Versioned<Delivery>>> {
        self.write_failures.check("writing a delivery")?;
        if self.conflicts.check("replacing").is_err() {
            return Ok(None);
        }
        let mut rows = lock(&self.rows);
        let key = (delivery.webhook, delivery.event_id());
        if rows.get(&key).map(|row| row.version) != read.map(|read| read.version) {
            return Ok(None);
        }
        let version = read.map_or(1, |read| read.version.saturating_add(1));
        let written = Versioned { value: delivery.clone(), version };
        rows.insert(key, written.clone());
        Ok(Some(written))
    }

    async fn list(&self, webhook: WebhookId, after: Option<&Position>, limit: u32) -> anyhow::Result<Page> {
        self.failures.check("listing deliveries")?;
        let rows = lock(&self.rows);
        let mut all: Vec<&Delivery> =
            rows.values().map(|row| &row.value).filter(|row| row.webhook == webhook).collect();
        all.sort_by_key(|delivery| std::cmp::Reverse(Position::from_delivery(delivery)));
        let mut remaining =
            all.into_iter().filter(|row| after.is_none_or(|after| Position::from_delivery(row) < *after));
        let deliveries: Vec<Delivery> = remaining.by_ref().take(usize::try_from(limit)?).cloned().collect();
        let next = deliveries.last().filter(|_| remaining.next().is_some()).map(Position::from_delivery);
        Ok(Page { deliveries, next })
    }
}

/// A queue that records what is sent.
#[derive(Debug, Default)]
pub struct InMemoryDeliveryQueue {
    sent: Mutex<Vec<PartnerEvent>>,
    /// Faults of `send`.
    pub failures: InjectedFaults,
}

impl InMemoryDeliveryQueue {
    /// Returns all events sent so far.
    pub fn sent(&self) -> Vec<PartnerEvent> {
        lock(&self.sent).clone()
    }
}

#[async_trait]
impl DeliveryQueue for InMemoryDeliveryQueue {
    async fn send(&self, event: &PartnerEvent) -> anyhow::Result<()> {
        self.failures.check("sending")?;
        lock(&self.sent).push(event.clone());
        Ok(())
    }
}

/// A deterministic generator that returns another secret with each call.
#[derive(Debug, Default)]
pub struct SequentialSecretGenerator(AtomicU8);

impl SecretGenerator for SequentialSecretGenerator {
    fn generate(&self) -> anyhow::Result<SigningSecret> {
        Ok([self.0.fetch_add(1, Ordering::SeqCst); SECRET_BYTES].into())
    }
}

/// An HTTP client that stands for all receivers: they respond with 200 unless other responses are queued.
#[derive(Debug, Default)]
pub struct InMemoryReceivers {
    requests: Mutex<Vec<Request<Bytes>>>,
    responses: Mutex<VecDeque<Option<StatusCode>>>,
}

impl InMemoryReceivers {
    /// Returns all requests received so far.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        lock(&self.requests).clone()
    }

    /// Queues the next responses; `None` stands for a failed connection.
    pub fn respond_with(&self, responses: impl IntoIterator<Item = Option<StatusCode>>) {
        lock(&self.responses).extend(responses);
    }
}

#[async_trait]
impl HttpClient for InMemoryReceivers {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        lock(&self.requests).push(request);
        let status = lock(&self.responses).pop_front().unwrap_or(Some(StatusCode::OK));
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status.ok_or_else(|| NoResponse { host, source: "no connection".into() })?;
        Ok(response)
    }
}
