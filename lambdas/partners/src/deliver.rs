//! `deliver-webhook`: delivers events about the orders of partners' customers to the subscribed URLs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Attempt, CustomerId, Event};
use futures::future::join_all;
use http::{Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use platform::http_client::HttpClient;
use platform::optimistic::{Attempts, Versioned};
use platform::{Clock, Failure, Labels, MessageHandler, redact_values};
use serde_json::Value;

use crate::delivery::{Backoff, Delivery, MAX_EVENT_AGE, NextAction, Outcome};
use crate::event::{PartnerEvent, Payload};
use crate::owner::split_customer_id;
use crate::store::{Deliveries, Partners};
use crate::webhook::{AttemptResult, Webhook};

/// The duration of the lease on a delivery. It exceeds the timeout of the function, which is 30 seconds.
const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(45);

/// Delivers events to the webhooks that subscribe to them.
pub struct DeliverWebhook {
    /// The subscriptions of the partners.
    pub partners: Arc<dyn Partners>,
    /// The records of the deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// The HTTP client that sends the requests.
    pub client: Arc<dyn HttpClient>,
    /// The source of time, new ids and random numbers.
    pub clock: Arc<dyn Clock>,
    /// The delays between attempts.
    pub backoff: Backoff,
    /// How long attempts may fail before a webhook is disabled.
    pub disable_after: SignedDuration,
}

/// An event to deliver, and the partner it is for.
struct Message<'a> {
    event: &'a PartnerEvent,
    partner: &'a CustomerId,
    /// The partner's own id of the customer.
    customer: &'a str,
    run: Attempt,
}

/// Messages contain an event of the bus, or the event of a delivery that is requested again.
#[async_trait]
impl MessageHandler for DeliverWebhook {
    fn labels(&self, message: &Value) -> Labels {
        Labels::from_event(message.get("detail").unwrap_or(&Value::Null))
    }

    async fn handle_message(&self, mut message: Value, _: Duration) -> Result<Vec<Event>, Failure> {
        let event = PartnerEvent::from_json(message.get_mut("detail").map_or(Value::Null, Value::take));
        let event = event.map_err(|error| {
            Failure::poison(format!("the event cannot be delivered: {}", redact_values(&error.to_string())))
        })?;
        self.handle(&event).await?;
        Ok(Vec::new())
    }
}

impl DeliverWebhook {
    /// Attempts all deliveries of an event that are due.
    async fn handle(&self, event: &PartnerEvent) -> Result<(), Failure> {
        let Some((partner, customer)) = split_customer_id(&event.customer_id) else { return Ok(()) };
        let now = self.clock.now();
        if now.duration_since(event.time) > MAX_EVENT_AGE {
            tracing::warn!(
                "the event is too old to be delivered: the records of earlier deliveries may have been deleted"
            );
            return Ok(());
        }
        let subscriptions = self.partners.get(&partner).await?.value;
        if subscriptions.all().is_empty() {
            return Ok(());
        }
        let run = Attempt { owner: self.clock.new_id(), now, lease_duration: LEASE_DURATION };
        let message = Message { event, partner: &partner, customer, run };
        let all = join_all(subscriptions.all().iter().map(|webhook| self.deliver(webhook, &message))).await;
        // All attempts finish before the first failure is returned.
        let retry_times: Vec<Option<Timestamp>> = all.into_iter().collect::<Result<_, _>>()?;
        match retry_times.into_iter().flatten().min() {
            Some(until) => Err(Failure::Leased { until }),
            None => Ok(()),
        }
    }

    /// Attempts the delivery to one webhook if it is due. Returns the time of the next attempt, if there is
    /// one.
    async fn deliver(&self, webhook: &Webhook, message: &Message<'_>) -> anyhow::Result<Option<Timestamp>> {
        let event = message.event;
        let mut attempts =
            Attempts::at(format!("the delivery to webhook {}", webhook.id), self.clock.as_ref());
        loop {
            attempts.start().await?;
            let read = self.deliveries.get(webhook.id, event.id).await?;
            let delivery = match &read {
                Some(read) => read.value.clone(),
                None if webhook.is_subscribed_to(event.kind, event.time) => {
                    Delivery::new(webhook.id, event.clone(), message.run.now)
                }
                None => return Ok(None),
            };
            let run = Attempt { now: self.clock.now(), ..message.run };
            match delivery.next_action(webhook.disabled.is_none(), &run) {
                NextAction::Done => return Ok(None),
                NextAction::Wait(until) => return Ok(Some(until)),
                NextAction::GiveUp(abandoned) => {
                    if self.deliveries.write(read.as_ref(), &abandoned).await?.is_some() {
                        tracing::info!(webhook_id = %webhook.id, "delivery failed permanently");
                        return Ok(None);
                    }
                }
                NextAction::Attempt(claimed) => {
                    if let Some(claimed) = self.deliveries.write(read.as_ref(), &claimed).await? {
                        return self.attempt(webhook, &claimed, message).await;
                    }
                }
            }
        }
    }

    /// Sends the request and records the outcome. After a crash in between, the event is sent again with the
    /// same id when the lease has expired.
    async fn attempt(
        &self,
        webhook: &Webhook,
        claimed: &Versioned<Delivery>,
        message: &Message<'_>,
    ) -> anyhow::Result<Option<Timestamp>> {
        let started_at = self.clock.now();
        let outcome = self.send(webhook, &claimed.value.event, message.customer, started_at).await?;
        let now = self.clock.now();
        let delay = self.backoff.delay(claimed.value.attempts_started, self.clock.random());
        let after = claimed.value.with_outcome(started_at, &outcome, now, delay);
        let (webhook_id, attempt) = (webhook.id, claimed.value.attempts_started);
        tracing::info!(%webhook_id, ?outcome, webhook_attempt = attempt, state = ?after.state, "webhook sent");
        let result = match outcome {
            Outcome::Accepted(_) => AttemptResult::Succeeded,
            Outcome::Gone(_) => AttemptResult::Gone,
            Outcome::Rejected(_) | Outcome::NoResponse(_) => AttemptResult::Failed,
        };
        // An attempt that took longer than its lease must not overwrite the record of its successor.
        if self.deliveries.write(Some(claimed), &after).await?.is_none() {
            tracing::warn!(%webhook_id, "another attempt has taken over the delivery");
            return Ok(Some(now));
        }
        self.record_result(webhook, message.partner, started_at, result).await?;
        Ok(after.next_attempt_at)
    }

    /// Sends the recorded event: the publisher may have repeated it with a later time, and every attempt with one
    /// id has the same body.
    async fn send(
        &self,
        webhook: &Webhook,
        event: &PartnerEvent,
        customer: &str,
        now: Timestamp,
    ) -> anyhow::Result<Outcome> {
        let id = webhook.id.message_id(event.id);
        let body = serde_json::to_string(&Payload::new(event, customer))?;
        let signature = webhook.secret.sign(&id, now.as_second(), &body)?;
        let request = Request::post(webhook.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", signature)
            .body(Bytes::from(body))?;
        Ok(match self.client.send(request).await {
            Ok(response) if response.status().is_success() => Outcome::Accepted(response.status().as_u16()),
            Ok(response) if response.status() == StatusCode::GONE => {
                Outcome::Gone(response.status().as_u16())
            }
            Ok(response) => Outcome::Rejected(response.status().as_u16()),
            Err(error) => Outcome::NoResponse(error.source.to_string()),
        })
    }

    /// Records the result of an attempt in the subscription.
    async fn record_result(
        &self,
        webhook: &Webhook,
        partner: &CustomerId,
        started_at: Timestamp,
        result: AttemptResult,
    ) -> anyhow::Result<()> {
        if result == AttemptResult::Succeeded && webhook.failing_since.is_none() {
            return Ok(());
        }
        let mut attempts = Attempts::at(format!("the webhooks of {partner}"), self.clock.as_ref());
        loop {
            attempts.start().await?;
            let read = self.partners.get(partner).await?;
            let mut subscriptions = read.value.clone();
            if !subscriptions.record_attempt(
                webhook.id,
                started_at,
                result,
                self.clock.now(),
                self.disable_after,
            ) {
                return Ok(());
            }
            if self.partners.replace(partner, &read, &subscriptions).await? {
                if let Some(disabled) = subscriptions.get(webhook.id).and_then(|webhook| webhook.disabled) {
                    tracing::warn!(webhook_id = %webhook.id, ?disabled, "webhook disabled");
                }
                return Ok(());
            }
        }
    }
}
