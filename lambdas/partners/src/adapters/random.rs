//! Secrets from the system's random number generator.

use crate::signature::{SECRET_BYTES, SigningSecret};
use crate::store::SecretGenerator;

/// A generator that uses the system's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSecretGenerator;

impl SecretGenerator for SystemSecretGenerator {
    fn generate(&self) -> anyhow::Result<SigningSecret> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(bytes.into())
    }
}
