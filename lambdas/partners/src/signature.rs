//! Signatures according to the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The number of random bytes of a secret. The specification requires 24 to 64.
pub const SECRET_BYTES: usize = 32;

const PREFIX: &str = "whsec_";

/// The secret that a partner verifies signatures with: `whsec_` and 32 bytes in Base64. `Debug` does not
/// print it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SigningSecret(
    #[schemars(length(equal = 50), regex(pattern = r"^whsec_[A-Za-z0-9+/]{43}=$"))] String,
);

impl From<[u8; SECRET_BYTES]> for SigningSecret {
    fn from(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes)))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(redacted)")
    }
}

impl SigningSecret {
    /// Returns the secret text, for the partner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the value of the header `webhook-signature` for a message with the given id, time of sending
    /// (Unix seconds) and body.
    ///
    /// # Errors
    /// When the secret is invalid, which requires that the table was edited.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> anyhow::Result<String> {
        let text = self.0.strip_prefix(PREFIX).unwrap_or_default();
        let key = BASE64_STANDARD.decode(text)?;
        anyhow::ensure!(!key.is_empty(), "the signing secret is empty");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
        for part in [id, ".", &timestamp.to_string(), ".", body] {
            mac.update(part.as_bytes());
        }
        Ok(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the reference implementations, and one made with Python's `hmac`.
    #[test]
    fn signatures_follow_the_specification() {
        let secret = SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");

        let secret = SigningSecret::from(std::array::from_fn(|index| u8::try_from(index).unwrap()));
        assert_eq!(secret.expose(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let signed = secret.sign("msg_1", 1_795_428_930, r#"{"type":"payment.succeeded"}"#);
        assert_eq!(signed.unwrap(), "v1,/mIeXcbYoMUJhq1W0dGeubWuv+Gv/Iyz5YV6wJ6+U3k=");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = SigningSecret::from([7; SECRET_BYTES]);
        assert_eq!(format!("{:?}", Some(&secret)), "Some(SigningSecret(redacted))");
        assert!(SigningSecret("whsec_".to_owned()).sign("a", 1, "b").is_err());
    }
}
