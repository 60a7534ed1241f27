//! `send-email`: outcomes → the customer's mailbox.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, Fact, OrderDetails};
use platform::idempotency::{Idempotency, Key, OnUnknown, Task};
use platform::{EventHandler, Failure};

use crate::mail::compose;
use crate::store::Mailer;

/// Sends the mail that an event leads to.
pub struct SendEmail {
    /// Sees to it that each is sent once.
    pub idempotency: Idempotency,
    /// Sends.
    pub mailer: Arc<dyn Mailer>,
    /// What the shop is called.
    pub shop: String,
}

#[async_trait]
impl EventHandler for SendEmail {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let mail = compose(event, &self.shop).map_err(Failure::reject)?;
        let (Some(mail), Some(order)) = (mail, order(&event.fact)) else {
            return Err(Failure::poison(format!("{} leads to no mail", event.fact.name())));
        };
        let key = Key::new(event.subject, mail.kind.name());
        // The fact and not the mail: a new template, or a new name of the shop, makes no other mail of it. The time
        // when the order was placed and not the event's: a rejection that is told again has a new one.
        let task = Task::new(key, &event.fact, order.placed_at)?;
        // SES knows no key for sending once, and cannot be asked. Two mails are better than none.
        let sent = self.idempotency.run_once(&task, OnUnknown::Retry, |_| self.mailer.send(&mail)).await?;
        if !sent.is_replay {
            tracing::info!(mail = mail.kind.name(), "mail sent");
        }
        Ok(Vec::new())
    }
}

/// The order that a mail is about, in the facts that lead to one.
fn order(fact: &Fact) -> Option<&OrderDetails> {
    match fact {
        Fact::PaymentSucceeded(paid) => Some(&paid.order),
        Fact::ReservationRejected(rejected) => Some(&rejected.order),
        Fact::PaymentFailed(failed) => Some(&failed.order),
        Fact::PaymentVoided(voided) => Some(&voided.order),
        _ => None,
    }
}
