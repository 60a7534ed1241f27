//! The ports of the partner service.

use async_trait::async_trait;
use domain::{CustomerId, EventId};
use partners::delivery::{Delivery, DeliveryState};
use partners::event::PartnerEvent;
use partners::signature::SigningSecret;
use partners::store::{Deliveries, DeliveryQueue, Page, Partners, Position, SecretGenerator};
use partners::webhook::{Subscriptions, WebhookId};
use platform::optimistic::Versioned;
use serde_json::json;

use crate::mutation::Mutation;
use crate::ports::{Ports, now};

#[async_trait]
impl Partners for Ports {
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>> {
        let partner = partner.clone();
        self.read("subscriptions.get", move |world| {
            now(Partners::get(&world.parts.partners.subscriptions, &partner))
        })
        .await
    }

    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool> {
        let (partner, read, subscriptions) = (partner.clone(), read.clone(), subscriptions.clone());
        self.read("subscriptions.replace", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            now(world.parts.partners.subscriptions.replace(&partner, &read, &subscriptions))
        })
        .await
    }
}

#[async_trait]
impl Deliveries for Ports {
    async fn get(&self, webhook: WebhookId, event: EventId) -> anyhow::Result<Option<Versioned<Delivery>>> {
        self.read("deliveries.get", move |world| {
            now(Deliveries::get(&world.parts.partners.deliveries, webhook, event))
        })
        .await
    }

    async fn write(
        &self,
        read: Option<&Versioned<Delivery>>,
        delivery: &Delivery,
    ) -> anyhow::Result<Option<Versioned<Delivery>>> {
        let (read, mut delivery) = (read.cloned(), delivery.clone());
        if self.world.has_mutation(Mutation::RecordFailureAsDelivered) && delivery.attempts.last().is_some() {
            delivery.state = DeliveryState::Delivered;
        }
        self.read("deliveries.write", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(None);
            }
            now(Deliveries::write(&world.parts.partners.deliveries, read.as_ref(), &delivery))
        })
        .await
    }

    async fn list(&self, webhook: WebhookId, after: Option<&Position>, limit: u32) -> anyhow::Result<Page> {
        let after = after.cloned();
        self.read("deliveries.list", move |world| {
            now(Deliveries::list(&world.parts.partners.deliveries, webhook, after.as_ref(), limit))
        })
        .await
    }
}

/// The queue of `deliver-webhook`, as `webhooks-api` accesses it.
pub(super) struct DeliverQueue(pub(super) Ports);

#[async_trait]
impl DeliveryQueue for DeliverQueue {
    async fn send(&self, event: &PartnerEvent) -> anyhow::Result<()> {
        let body = json!({ "detail-type": event.kind.name(), "source": "partners", "detail": event });
        self.0.send_to_queue("deliver-webhook", &body, std::time::Duration::ZERO).await
    }
}

/// Secrets from the randomness of the run.
pub(super) struct RandomSecrets(pub(super) Ports);

impl SecretGenerator for RandomSecrets {
    fn generate(&self) -> anyhow::Result<SigningSecret> {
        let bytes: [u8; 32] = self.0.caller.sim.random(|rng| std::array::from_fn(|_| rng.u8(..)));
        Ok(bytes.into())
    }
}
