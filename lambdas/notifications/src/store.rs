//! The ports: who may send, and how it is sent.

use async_trait::async_trait;
use domain::OrderId;
use domain::claim::Claim;

use crate::mail::{Kind, Mail};

/// A claim as it was read, with the version that the next write stands on: 0 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// The claim.
    pub claim: Option<Claim>,
    /// Goes up by one with every write.
    pub version: u64,
}

/// The claims on mails.
#[async_trait]
pub trait Claims: Send + Sync {
    /// The claim on an order's mail.
    async fn get(&self, order: OrderId, kind: Kind) -> anyhow::Result<Read>;

    /// Writes `claim` in place of the one of version `version`. False, and nothing written, when there is another.
    async fn write(&self, order: OrderId, kind: Kind, version: u64, claim: &Claim) -> anyhow::Result<bool>;
}

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one, and gives back what it is called there.
    async fn send(&self, mail: &Mail) -> Result<String, MailError>;
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It never will be: the address, or our right to send.
    #[error("the mail was refused: {0}")]
    Refused(String),
    /// It may be later, or has been.
    #[error(transparent)]
    Unknown(#[from] anyhow::Error),
}
