//! An in-memory implementation of the port, for tests and simulations.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use platform::idempotency::EffectError;
use platform::lock;
use platform::memory::InjectedFaults;

use crate::mail::Email;
use crate::store::{Delivery, Mailer};

/// A mailer that stores what it sends.
#[derive(Default)]
pub struct InMemoryMailer {
    sent: Mutex<Vec<Email>>,
    /// Requests that fail without sending the email.
    pub failures: InjectedFaults,
    /// Requests that send the email and lose the response.
    pub lost_responses: InjectedFaults,
    /// Whether every email is rejected permanently.
    pub rejects_all: AtomicBool,
    /// Whether every recipient's address is refused.
    pub refuses_addresses: AtomicBool,
}

impl InMemoryMailer {
    /// Returns all emails sent so far.
    pub fn sent(&self) -> Vec<Email> {
        lock(&self.sent).clone()
    }
}

#[async_trait]
impl Mailer for InMemoryMailer {
    async fn send(&self, email: &Email) -> Result<Delivery, EffectError> {
        self.failures.check("sending").map_err(EffectError::NotDone)?;
        if self.rejects_all.load(Ordering::SeqCst) {
            return Err(EffectError::Refused(anyhow::anyhow!("the email was rejected: MessageRejected")));
        }
        if self.refuses_addresses.load(Ordering::SeqCst) {
            return Ok(Delivery::Undeliverable { code: "BadRequestException".to_owned() });
        }
        let message_id = {
            let mut sent = lock(&self.sent);
            sent.push(email.clone());
            format!("mail-{}", sent.len())
        };
        self.lost_responses.check("receiving the response").map_err(EffectError::Unknown)?;
        Ok(Delivery::Accepted { message_id })
    }
}
