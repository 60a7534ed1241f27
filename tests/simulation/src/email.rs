//! The ports of `send-email`.

use std::sync::Arc;

use async_trait::async_trait;
use domain::claim::{Claim, Status};
use domain::{OrderDetails, OrderId};
use invariants::Email as SentEmail;
use jiff::Timestamp;
use localization::Language;
use notifications::mail::Email;
use notifications::names::ProductNames;
use notifications::send::SendEmail;
use notifications::store::{Delivery, Mailer};
use platform::idempotency::{EffectError, Idempotency, IdempotencyStore, Key};
use platform::lock;
use product_catalogue::HttpCatalogue;

use crate::mutation::Mutation;
use crate::ports::{Ports, now};

impl Ports {
    /// Assembles the handler as its `main` does.
    pub fn send_email(&self) -> SendEmail {
        let catalogue = HttpCatalogue::new(self.clone(), "http://inventory-api");
        SendEmail {
            idempotency: Idempotency::new(Arc::new(self.clone()), Arc::new(self.caller.clone())),
            mailer: Arc::new(Outgoing { ports: self.clone() }),
            names: ProductNames::new(Arc::new(catalogue), Arc::new(self.caller.clone())),
            shop: "The Tea Shop".to_owned(),
            clock: Arc::new(self.caller.clone()),
        }
    }
}

fn is_completed(claim: Option<&Claim>) -> bool {
    claim.is_some_and(|claim| matches!(claim.status, Status::Completed { .. }))
}

#[async_trait]
impl IdempotencyStore for Ports {
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>> {
        let key = key.clone();
        self.read("claims.get", move |world| now(world.claims.get(&key))).await
    }

    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool> {
        let (key, previous, claim) = (key.clone(), previous.cloned(), claim.clone());
        self.read("claims.write", move |world| {
            let there = now(world.claims.get(&key))?;
            let ends = !matches!(claim.status, Status::InProgress { .. });
            let previous = if ends && world.has_mutation(Mutation::UnconditionalCompletion) {
                &there
            } else {
                &previous
            };
            let done = now(world.claims.write(&key, previous.as_ref(), &claim, expires_at))?;
            if done && is_completed(there.as_ref()) {
                world.report_violation(format!("FinalStays: the completed record {key} was overwritten"));
            }
            Ok(done)
        })
        .await
    }
}

struct Outgoing {
    ports: Ports,
}

impl Outgoing {
    /// An email is in the language of the customer, and states the total as that language writes it.
    fn check_language(&self, details: &OrderDetails, email: &Email) {
        let language = Language::from_preference(details.customer.language.as_ref());
        let attribute = format!("lang=\"{}\"", language.code());
        if !email.html.contains(&attribute) || !email.text.contains(&language.format_money(details.total)) {
            let (to, language) = (&email.to, language.code());
            self.ports
                .world
                .report_violation(format!("the email to {to:?} is not in {language}: {}", email.text));
        }
    }
}

#[async_trait]
impl Mailer for Outgoing {
    async fn send(&self, email: &Email) -> Result<Delivery, EffectError> {
        let (world, kind) = (Arc::clone(&self.ports.world), email.kind.as_ref().to_owned());
        // The health check places several orders as one customer, so the address is not enough.
        let is_about = |(id, details): &(OrderId, OrderDetails)| {
            details.customer.email == email.to && email.text.contains(&id.to_string())
        };
        let own = world.orders.all().into_values().map(|order| (order.id, order.details));
        let found = own.chain(world.observed.foreign_orders()).find(is_about);
        let Some((order, details)) = found else {
            world.report_violation(format!("an email is sent to {:?}, who has no order", email.to));
            return Err(anyhow::anyhow!("no such customer").into());
        };
        let claims = world.claims.claims();
        let claim = claims.get(&Key::new(order, &kind)).map(|(claim, _)| claim);
        // An attempt that has stalled since it acquired the claim cannot know that another one has sent the
        // email: SES does not support fencing tokens.
        if is_completed(claim) && !self.ports.caller.has_stalled() {
            world.report_violation(format!(
                "the email `{kind}` of order {order} is sent again, although it is recorded as sent"
            ));
        }
        self.check_language(&details, email);
        let sent = self.ports.caller.call("mailer.send", move || {
            lock(&world.emails).push(SentEmail { order_id: order, kind: kind.clone() });
            world.check_order(order);
            "sent".to_owned()
        });
        let message_id = sent.await.map_err(anyhow::Error::from)?;
        Ok(Delivery::Accepted { message_id })
    }
}
