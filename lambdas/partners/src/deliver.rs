//! `deliver-webhook`: events about partners' orders → the URLs that they subscribed with.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Attempt, CustomerId, Event};
use futures::future::join_all;
use http::{Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use platform::http::client::HttpClient;
use platform::{Clock, EventHandler, Failure};

use crate::delivery::{Backoff, Delivery, Next, OLDEST_EVENT, Outcome};
use crate::event::{EventType, Payload, without_person};
use crate::owner::of_customer;
use crate::store::{Deliveries, Partners, Versioned};
use crate::webhook::{Health, Webhook};

/// How often a write is tried again that another run was faster with.
const TRIES: usize = 5;
/// How long a run has a delivery to itself: longer than the function may run, which is 30 seconds.
const LEASE: SignedDuration = SignedDuration::from_secs(45);

/// Sends events to those who subscribed to them.
pub struct DeliverWebhook {
    /// Who subscribed to what.
    pub partners: Arc<dyn Partners>,
    /// What was sent.
    pub deliveries: Arc<dyn Deliveries>,
    /// Sends.
    pub client: Arc<dyn HttpClient>,
    /// Time, ids and chance.
    pub clock: Arc<dyn Clock>,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// How long nothing may arrive before a subscription is disabled.
    pub disable_after: SignedDuration,
}

/// What is sent, and for whom.
struct Message<'a> {
    event: &'a Event,
    kind: EventType,
    partner: &'a CustomerId,
    body: String,
    run: Attempt,
}

#[async_trait]
impl EventHandler for DeliverWebhook {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Some((kind, order)) = EventType::of(&event.fact) else {
            return Err(Failure::poison(format!(
                "{} is nothing that partners are told of",
                event.fact.name()
            )));
        };
        let Some((partner, customer)) = of_customer(&order.customer.id) else { return Ok(Vec::new()) };
        let now = self.clock.now();
        if now.duration_since(event.time) > OLDEST_EVENT {
            tracing::warn!("too old to be delivered: what became of it before may be forgotten");
            return Ok(Vec::new());
        }
        let subscriptions = self.partners.get(&partner).await?.value;
        if subscriptions.all().is_empty() {
            return Ok(Vec::new());
        }
        let payload = Payload::of(event, customer).map(|payload| serde_json::to_string(&payload));
        let body = payload.transpose().map_err(Failure::reject)?.unwrap_or_default();
        let run = Attempt { owner: self.clock.new_id(), now, lease_duration: LEASE };
        let message = Message { event, kind, partner: &partner, body, run };
        let all = join_all(subscriptions.all().iter().map(|webhook| self.deliver(webhook, &message))).await;
        // Each has its say before the first failure is told.
        let waiting: Vec<Option<Timestamp>> = all.into_iter().collect::<Result<_, _>>()?;
        match waiting.into_iter().flatten().min() {
            Some(until) => Err(Failure::Leased { until }),
            None => Ok(Vec::new()),
        }
    }
}

impl DeliverWebhook {
    /// Sends to one subscription, if that is due. Gives back when to come again, if there is more to do.
    async fn deliver(&self, webhook: &Webhook, message: &Message<'_>) -> anyhow::Result<Option<Timestamp>> {
        let event = message.event;
        for _ in 0..TRIES {
            let read = self.deliveries.get(webhook.id, event.id).await?;
            let delivery = match &read {
                Some(read) => read.value.clone(),
                None if webhook.wants(message.kind, event.time) => {
                    Delivery::new(webhook.id, without_person(event)?, message.run.now)
                }
                None => return Ok(None),
            };
            let run = Attempt { now: self.clock.now(), ..message.run };
            match delivery.next(webhook.disabled.is_none(), &run) {
                Next::Settled => return Ok(None),
                Next::Wait(until) => return Ok(Some(until)),
                Next::GiveUp(given_up) => {
                    if self.deliveries.write(read.as_ref(), &given_up).await?.is_some() {
                        tracing::info!(webhook_id = %webhook.id, "delivery given up");
                        return Ok(None);
                    }
                }
                Next::Attempt(claimed) => {
                    if let Some(claimed) = self.deliveries.write(read.as_ref(), &claimed).await? {
                        return self.attempt(webhook, &claimed, message).await;
                    }
                }
            }
        }
        anyhow::bail!("the delivery to {} changed {TRIES} times while it was being written", webhook.id)
    }

    /// Sends, and writes down what came of it. A crash in between sends again, with the same id, when the lease ends.
    async fn attempt(
        &self,
        webhook: &Webhook,
        claimed: &Versioned<Delivery>,
        message: &Message<'_>,
    ) -> anyhow::Result<Option<Timestamp>> {
        let began = self.clock.now();
        let outcome = self.send(webhook, message, began).await?;
        let now = self.clock.now();
        let wait = self.backoff.wait(claimed.value.tries, self.clock.random());
        let after = claimed.value.after(began, &outcome, now, wait);
        let (webhook_id, attempt) = (webhook.id, claimed.value.tries);
        tracing::info!(%webhook_id, ?outcome, webhook_attempt = attempt, state = ?after.state, "webhook sent");
        let health = match outcome {
            Outcome::Taken(_) => Health::Arrived,
            Outcome::Gone(_) => Health::Gone,
            Outcome::Refused(_) | Outcome::NoAnswer(_) => Health::Failed,
        };
        // Who was away for longer than the lease lasts finds another's work, and leaves it alone.
        if self.deliveries.write(Some(claimed), &after).await?.is_none() {
            tracing::warn!(%webhook_id, "another run has taken the delivery over");
            return Ok(Some(now));
        }
        self.note(webhook, message.partner, began, health).await?;
        Ok(after.next_attempt_at)
    }

    async fn send(
        &self,
        webhook: &Webhook,
        message: &Message<'_>,
        now: Timestamp,
    ) -> anyhow::Result<Outcome> {
        let id = webhook.id.message_id(message.event.id);
        let signature = webhook.secret.sign(&id, now.as_second(), &message.body)?;
        let request = Request::post(webhook.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_second())
            .header("webhook-signature", signature)
            .body(Bytes::from(message.body.clone()))?;
        Ok(match self.client.send(request).await {
            Ok(answer) if answer.status().is_success() => Outcome::Taken(answer.status().as_u16()),
            Ok(answer) if answer.status() == StatusCode::GONE => Outcome::Gone(answer.status().as_u16()),
            Ok(answer) => Outcome::Refused(answer.status().as_u16()),
            Err(error) => Outcome::NoAnswer(error.source.to_string()),
        })
    }

    /// Has the subscription know how it went.
    async fn note(
        &self,
        webhook: &Webhook,
        partner: &CustomerId,
        began: Timestamp,
        health: Health,
    ) -> anyhow::Result<()> {
        if health == Health::Arrived && webhook.failing_since.is_none() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let read = self.partners.get(partner).await?;
            let mut subscriptions = read.value.clone();
            if !subscriptions.note(webhook.id, began, health, self.clock.now(), self.disable_after) {
                return Ok(());
            }
            if self.partners.replace(partner, &read, &subscriptions).await? {
                if let Some(disabled) = subscriptions.get(webhook.id).and_then(|webhook| webhook.disabled) {
                    tracing::warn!(webhook_id = %webhook.id, ?disabled, "webhook disabled");
                }
                return Ok(());
            }
        }
        anyhow::bail!("the subscriptions of {partner} changed {TRIES} times while they were being written")
    }
}
