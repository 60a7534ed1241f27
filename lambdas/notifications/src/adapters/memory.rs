//! The port in memory, for tests and simulations. Nothing that is deployed uses it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use platform::idempotency::EffectError;
use platform::memory::{InjectedFaults, lock};

use crate::mail::Mail;
use crate::store::Mailer;

/// A mailbox.
#[derive(Default)]
pub struct InMemoryMailer {
    sent: Mutex<Vec<Mail>>,
    /// Of mails that are not sent, and may be later.
    pub failures: InjectedFaults,
    /// Of mails that are sent, and whose answer is lost.
    pub lost_answers: InjectedFaults,
    /// Whether every mail is refused for good.
    pub refuses: AtomicBool,
}

impl InMemoryMailer {
    /// All that was sent so far.
    pub fn sent(&self) -> Vec<Mail> {
        lock(&self.sent).clone()
    }
}

#[async_trait]
impl Mailer for InMemoryMailer {
    async fn send(&self, mail: &Mail) -> Result<String, EffectError> {
        self.failures.check("sending").map_err(EffectError::NotDone)?;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(EffectError::Refused(anyhow::anyhow!("the mail was refused: MessageRejected")));
        }
        let receipt = {
            let mut sent = lock(&self.sent);
            sent.push(mail.clone());
            format!("mail-{}", sent.len())
        };
        self.lost_answers.check("answering").map_err(EffectError::Unknown)?;
        Ok(receipt)
    }
}
