//! The ports of `send-email`.

use std::sync::Arc;

use async_trait::async_trait;
use domain::claim::{Claim, Status};
use invariants::Mail as Sent;
use jiff::Timestamp;
use notifications::mail::Email;
use notifications::send::SendEmail;
use notifications::store::Mailer;
use platform::idempotency::{EffectError, Idempotency, IdempotencyStore, Key};
use platform::memory::lock;

use crate::planted::Planted;
use crate::ports::{Ports, now};

impl Ports {
    /// The function, as its `main` puts it together.
    pub fn send_email(&self) -> SendEmail {
        SendEmail {
            idempotency: Idempotency::new(Arc::new(self.clone()), Arc::new(self.caller.clone())),
            mailer: Arc::new(Outgoing { ports: self.clone() }),
            shop: "The Tea Shop".to_owned(),
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
            let previous =
                if ends && world.has(Planted::UnconditionalCompletion) { &there } else { &previous };
            let done = now(world.claims.write(&key, previous.as_ref(), &claim, expires_at))?;
            if done && is_completed(there.as_ref()) {
                world.violated(format!("FinalStays: the note that {key} is done was written over"));
            }
            Ok(done)
        })
        .await
    }
}

struct Outgoing {
    ports: Ports,
}

#[async_trait]
impl Mailer for Outgoing {
    async fn send(&self, mail: &Email) -> Result<String, EffectError> {
        let (world, kind) = (Arc::clone(&self.ports.world), mail.kind.name());
        // Every order of a run has a customer of its own.
        let orders = world.orders.all().into_values();
        let order =
            orders.map(|order| (order.id, order.details.customer.email)).find(|(_, email)| *email == mail.to);
        let Some((order, _)) = order else {
            world.violated(format!("a mail goes to {:?}, who has ordered nothing", mail.to));
            return Err(anyhow::anyhow!("no such customer").into());
        };
        let claims = world.claims.claims();
        let claim = claims.get(&Key::new(order, kind)).map(|(claim, _)| claim);
        // Who stood still since it claimed the mail cannot know that others have sent it. SES knows no fencing token.
        if is_completed(claim) && !self.ports.caller.has_stalled() {
            world.violated(format!("order {order} gets the mail `{kind}` that is noted as sent"));
        }
        let sent = self.ports.caller.call("mailer.send", move || {
            lock(&world.mails).push(Sent { order_id: order, kind: kind.to_owned() });
            world.look(order);
            "sent".to_owned()
        });
        Ok(sent.await.map_err(anyhow::Error::from)?)
    }
}
