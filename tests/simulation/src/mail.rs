//! The ports of `send-email`.

use std::sync::Arc;

use async_trait::async_trait;
use domain::OrderId;
use domain::claim::Claim;
use futures::FutureExt;
use invariants::Mail as Sent;
use notifications::mail::{Kind, Mail};
use notifications::send::SendEmail;
use notifications::store::{Claims, MailError, Mailer, Read};
use platform::memory::lock;

use crate::planted::Planted;
use crate::ports::Ports;

impl Ports {
    /// The function, as its `main` puts it together.
    pub fn send_email(&self) -> SendEmail {
        SendEmail {
            claims: Arc::new(self.clone()),
            mailer: Arc::new(Outgoing { ports: self.clone() }),
            clock: Arc::new(self.caller.clone()),
            shop: "The Tea Shop".to_owned(),
        }
    }
}

#[async_trait]
impl Claims for Ports {
    async fn get(&self, order: OrderId, kind: Kind) -> anyhow::Result<Read> {
        self.read("claims.get", move |world| {
            world.claims.get(order, kind).now_or_never().unwrap_or_else(|| unreachable!("it answers at once"))
        })
        .await
    }

    async fn write(&self, order: OrderId, kind: Kind, version: u64, claim: &Claim) -> anyhow::Result<bool> {
        let claim = claim.clone();
        self.read("claims.write", move |world| {
            let _ = (&claim, version, order, kind, world.has(Planted::UnconditionalCompletion));
            world
                .claims
                .write(order, kind, version, &claim)
                .now_or_never()
                .unwrap_or_else(|| unreachable!("it answers at once"))
        })
        .await
    }
}

struct Outgoing {
    ports: Ports,
}

#[async_trait]
impl Mailer for Outgoing {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let (world, to, kind) = (Arc::clone(&self.ports.world), mail.to.clone(), mail.kind);
        let sent = self.ports.caller.call("mailer.send", move || {
            // Every order of a run has a customer of its own.
            let order = world.orders.all().into_values().find(|order| order.details.customer.email == to);
            if let Some(order) = order {
                lock(&world.mails).push(Sent { order_id: order.id, kind: kind.name().to_owned() });
                world.look(order.id);
            }
            "sent".to_owned()
        });
        Ok(sent.await.map_err(anyhow::Error::from)?)
    }
}
