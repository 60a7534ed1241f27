//! What EventBridge tells of a file that staff dropped.

use platform::Failure;
use platform::objects::ObjectCreated;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Where staff drop files.
pub const INCOMING: &str = "incoming/";

/// A file that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its name in the bucket.
    pub key: String,
    /// What names its content, without quotes.
    pub etag: String,
}

impl Dropped {
    /// Reads the message.
    ///
    /// # Errors
    /// [`Failure::Poison`] where it tells of no file that staff dropped.
    pub fn read(message: &Value) -> Result<Self, Failure> {
        let ObjectCreated { key, etag, .. } = ObjectCreated::from_message(message)?;
        let etag = etag.trim_matches('"').to_owned();
        let is_etag = !etag.is_empty()
            && etag.len() <= 64
            && etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_etag {
            return Err(Failure::poison("the file's ETag is none"));
        }
        if !key.starts_with(INCOMING) || key.len() > 1024 {
            return Err(Failure::poison(format!("the file is not under {INCOMING}")));
        }
        Ok(Self { key, etag })
    }

    /// Whether it is a folder, as the console makes them: a file without a name.
    pub fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }

    /// Its name, without where it was dropped.
    pub fn name(&self) -> &str {
        self.key.strip_prefix(INCOMING).unwrap_or(&self.key)
    }

    /// What names the import: this content under this name. Hexadecimal digits.
    pub fn import_id(&self) -> String {
        hex(&format!("{}\n{}", self.etag, self.key))
    }

    /// What names the delivery that each of its rows is: the content alone, so that the same file under another name
    /// counts no piece twice.
    pub fn delivery(&self) -> String {
        format!("import.{}", hex(&self.etag))
    }
}

/// The first 128 bits of the SHA-256 of a text.
fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_s3_tells_is_read_and_nothing_else() {
        let notice =
            |key: &str, etag: &str| json!({"detail": {"object": {"key": key, "etag": etag, "size": 1}}});
        let read = Dropped::read(&notice("incoming/a b/ü.csv", "\"d41d-2\"")).unwrap();
        assert_eq!((read.name(), read.etag.as_str(), read.is_folder()), ("a b/ü.csv", "d41d-2", false));
        let other_name = Dropped::read(&notice("incoming/c.csv", "d41d-2")).unwrap();
        assert_eq!(read.delivery(), other_name.delivery());
        assert_ne!(read.import_id(), other_name.import_id());
        assert!(read.delivery().parse::<domain::DeliveryId>().is_ok());
        assert!(Dropped::read(&notice("incoming/2026/", "d41d")).unwrap().is_folder());
        let long = format!("incoming/{}", "x".repeat(1024));
        for (key, etag) in
            [("results/a.csv", "d41d"), ("incoming/a", ""), ("incoming/a", "../x"), (&long, "d41d")]
        {
            assert!(matches!(Dropped::read(&notice(key, etag)), Err(Failure::Poison(_))), "{key} {etag}");
        }
        assert!(matches!(Dropped::read(&json!({"detail": {}})), Err(Failure::Poison(_))));
    }
}
