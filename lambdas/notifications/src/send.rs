//! `send-email`: sends an email to the customer when the outcome of an order is known.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, Fact, ShortageKind};
use platform::idempotency::{Idempotency, Key, OnUnknown, Task};
use platform::{Clock, EventHandler, Failure, metrics};

use crate::mail::{compose, kind_and_order};
use crate::names::ProductNames;
use crate::store::{Delivery, Mailer};

/// An email that may have been sent is sent again: SES has no idempotency key, and cannot be queried, and two emails
/// are better than none.
pub const ON_UNKNOWN: OnUnknown<'static> = OnUnknown::Retry;

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
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl EventHandler for SendEmail {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        if names_unknown_product(&event.fact) {
            tracing::info!("no email is sent about an order of a product that does not exist");
            return Ok(Vec::new());
        }
        let causes_none = || Failure::poison(format!("no email is sent for {}", event.fact.name()));
        let (_, order) = kind_and_order(&event.fact).ok_or_else(causes_none)?;
        let names = self.names.of_order(order, event.cause.correlation_id.as_str()).await;
        let email = compose(event, &self.shop, &names).map_err(Failure::reject)?.ok_or_else(causes_none)?;
        let key = Key::new(event.subject, email.kind.as_ref());
        // The fingerprint is that of the fact, not of the email, so that a new template, shop name or product
        // name does not count as another email. The time is that of the order, not of the event: a republished rejection
        // has a new time.
        let task = Task::new(key, &event.fact, order.placed_at)?;
        let send = |_| async { Ok(self.mailer.send(&email).await?.into_receipt()) };
        let sent = self.idempotency.run_once(&task, ON_UNKNOWN, send).await?;
        let mail = email.kind.as_ref();
        if sent.is_replay {
            return Ok(Vec::new());
        }
        if Delivery::is_undeliverable(&sent.receipt) {
            let reason = sent.receipt.as_str();
            tracing::warn!(mail, reason, "the address cannot receive email");
        } else {
            let seconds = self.clock.now().duration_since(order.placed_at).as_secs_f64();
            tracing::info!(target: metrics::TARGET, MailSeconds = seconds, mail, "email sent");
        }
        Ok(Vec::new())
    }
}

/// Whether an order was rejected because of a product that does not exist. No page of the shop offers one, so the
/// order is a mistake or an attempt to have the shop send email; the API tells its client the reason.
fn names_unknown_product(fact: &Fact) -> bool {
    let Fact::ReservationRejected(rejected) = fact else { return false };
    rejected.shortages.iter().any(|shortage| shortage.kind == ShortageKind::UnknownProduct)
}
