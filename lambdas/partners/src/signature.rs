//! Signatures, as Standard Webhooks has them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How many random bytes a secret has. The specification asks for 24 to 64.
pub const SECRET_BYTES: usize = 32;

const PREFIX: &str = "whsec_";

/// What a partner checks signatures with: `whsec_` and 32 bytes in Base64. Never printed.
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
    /// The text itself, for its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value of `webhook-signature` for a message: its id, when it is sent (seconds since 1970), and its body.
    ///
    /// # Errors
    /// When the secret is none, which only a changed table can bring about.
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

    /// The example of the reference implementations, and one made with Python's `hmac`.
    #[test]
    fn signatures_are_those_of_the_specification() {
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
