//! The ports in memory, for tests and simulations. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use domain::OrderId;
use domain::claim::Claim;
use platform::memory::{Failures, lock};

use crate::mail::{Kind, Mail};
use crate::store::{Claims, MailError, Mailer, Read};

/// Claims on mails.
#[derive(Debug, Default)]
pub struct InMemoryClaims {
    claims: Mutex<BTreeMap<(OrderId, &'static str), Read>>,
    /// Of writes, before they have their effect.
    pub failures: Failures,
    /// Of writes, as when somebody else was faster.
    pub conflicts: Failures,
}

#[async_trait]
impl Claims for InMemoryClaims {
    async fn get(&self, order: OrderId, kind: Kind) -> anyhow::Result<Read> {
        Ok(lock(&self.claims).get(&(order, kind.name())).cloned().unwrap_or_default())
    }

    async fn write(&self, order: OrderId, kind: Kind, version: u64, claim: &Claim) -> anyhow::Result<bool> {
        self.failures.strike("writing a claim")?;
        if self.conflicts.strike("claiming").is_err() {
            return Ok(false);
        }
        let mut claims = lock(&self.claims);
        let read = claims.entry((order, kind.name())).or_default();
        if read.version != version {
            return Ok(false);
        }
        *read = Read { claim: Some(claim.clone()), version: version.saturating_add(1) };
        Ok(true)
    }
}

/// A mailbox.
#[derive(Default)]
pub struct InMemoryMailer {
    sent: Mutex<Vec<Mail>>,
    /// Of mails that may be sent later.
    pub failures: Failures,
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
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        self.failures.strike("sending")?;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(MailError::Refused("MessageRejected".to_owned()));
        }
        let mut sent = lock(&self.sent);
        sent.push(mail.clone());
        Ok(format!("mail-{}", sent.len()))
    }
}
