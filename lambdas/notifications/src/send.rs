//! `send-email`: outcomes → the customer's mailbox.

use std::sync::Arc;

use async_trait::async_trait;
use domain::claim::{Claim, Decision, decide};
use domain::{Attempt, Event};
use jiff::SignedDuration;
use platform::{Clock, EventHandler, Failure};

use crate::mail::compose;
use crate::store::{Claims, MailError, Mailer};

/// How long a claim lasts. Longer than the function runs (template.yaml gives it 30 seconds).
const LEASE: SignedDuration = SignedDuration::from_secs(45);

/// Sends the mail that an event leads to.
pub struct SendEmail {
    /// Who may send.
    pub claims: Arc<dyn Claims>,
    /// Sends.
    pub mailer: Arc<dyn Mailer>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// What the shop is called.
    pub shop: String,
}

#[async_trait]
impl EventHandler for SendEmail {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Some(mail) = compose(event, &self.shop).map_err(Failure::reject)? else {
            return Err(Failure::poison(format!("{} leads to no mail", event.fact.name())));
        };
        let (order, kind) = (event.subject, mail.kind);
        let attempt = Attempt { owner: self.clock.fresh_id(), now: self.clock.now(), lease_for: LEASE };
        let read = self.claims.get(order, kind).await?;
        let claim = match decide(read.claim.as_ref(), &attempt) {
            Decision::Done => return Ok(Vec::new()),
            Decision::Wait { until } => return Err(Failure::Busy { until }),
            Decision::Claim(claim) => claim,
        };
        if !self.claims.write(order, kind, read.version, &claim).await? {
            return Err(Failure::retry(anyhow::anyhow!("somebody else claimed the mail")));
        }
        let ours = read.version.saturating_add(1);
        match self.mailer.send(&mail).await {
            Ok(receipt) => {
                let done = Claim::Done { at: self.clock.now(), receipt };
                // From here on a failure means a second mail: once more, before the message comes again.
                if self.claims.write(order, kind, ours, &done).await.is_err() {
                    self.claims.write(order, kind, ours, &done).await?;
                }
                tracing::info!(mail = kind.name(), "mail sent");
                Ok(Vec::new())
            }
            Err(error) => {
                let given_up = Claim::Claimed { lease: attempt.lease().given_up(self.clock.now()) };
                if let Err(error) = self.claims.write(order, kind, ours, &given_up).await {
                    tracing::warn!(error = %format!("{error:#}"), "the claim could not be given up");
                }
                Err(match error {
                    MailError::Refused(_) => Failure::reject(error),
                    MailError::Unknown(error) => Failure::Retry(error),
                })
            }
        }
    }
}
