//! `send-email`: sends an email to the customer when the outcome of an order is known.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use platform::idempotency::{Idempotency, Key, OnUnknown, Task};
use platform::{EventHandler, Failure};

use crate::mail::{compose, kind_and_order};
use crate::names::ProductNames;
use crate::store::Mailer;

/// Sends the email about an event.
pub struct SendEmail {
    /// Makes sure that each email is sent once.
    pub idempotency: Idempotency,
    /// Sends the emails.
    pub mailer: Arc<dyn Mailer>,
    /// Looks up the names of the ordered products.
    pub names: ProductNames,
    /// The name of the shop.
    pub shop: String,
}

#[async_trait]
impl EventHandler for SendEmail {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let causes_none = || Failure::poison(format!("no email is sent for {}", event.fact.name()));
        let (_, order) = kind_and_order(&event.fact).ok_or_else(causes_none)?;
        let names = self.names.of_order(order, event.cause.correlation_id.as_str()).await;
        let email = compose(event, &self.shop, &names).map_err(Failure::reject)?.ok_or_else(causes_none)?;
        let key = Key::new(event.subject, email.kind.as_ref());
        // The fingerprint is that of the fact, not of the email, so that a new template, shop name or product
        // name does not count as another email. The time is that of the order, not of the event: a republished rejection
        // has a new time.
        let task = Task::new(key, &event.fact, order.placed_at)?;
        // SES has no idempotency key, and cannot be queried. Two emails are better than none.
        let sent = self.idempotency.run_once(&task, OnUnknown::Retry, |_| self.mailer.send(&email)).await?;
        if !sent.is_replay {
            tracing::info!(mail = email.kind.as_ref(), "email sent");
        }
        Ok(Vec::new())
    }
}
