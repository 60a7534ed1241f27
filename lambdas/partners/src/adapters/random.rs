//! Secrets from the system's own source of chance.

use crate::signature::{SECRET_BYTES, SigningSecret};
use crate::store::Secrets;

/// The system's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSecrets;

impl Secrets for SystemSecrets {
    fn fresh(&self) -> anyhow::Result<SigningSecret> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(bytes.into())
    }
}
