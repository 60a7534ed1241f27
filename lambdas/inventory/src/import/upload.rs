//! The event of an uploaded file, as sent by S3 through EventBridge.

use platform::Failure;
use platform::objects::ObjectCreated;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The prefix under which staff upload files.
pub const INCOMING_PREFIX: &str = "incoming/";

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// The key of the object.
    pub key: String,
    /// The ETag, which identifies the content, without quotes.
    pub etag: String,
}

impl UploadedFile {
    /// Parses a message.
    ///
    /// # Errors
    /// [`Failure::Poison`] if the message is not the event of a file under [`INCOMING_PREFIX`].
    pub fn from_message(message: &Value) -> Result<Self, Failure> {
        let ObjectCreated { key, etag, .. } = ObjectCreated::from_message(message)?;
        let etag = etag.trim_matches('"').to_owned();
        let is_valid = !etag.is_empty()
            && etag.len() <= 64
            && etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_valid {
            return Err(Failure::poison("the ETag of the file is not valid"));
        }
        if !key.starts_with(INCOMING_PREFIX) || key.len() > 1024 {
            return Err(Failure::poison(format!("the key is not under {INCOMING_PREFIX} or is too long")));
        }
        Ok(Self { key, etag })
    }

    /// Whether the object is a folder as created by the console: an object whose key ends in `/`.
    pub fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }

    /// The key without the prefix.
    pub fn name(&self) -> &str {
        self.key.strip_prefix(INCOMING_PREFIX).unwrap_or(&self.key)
    }

    /// The id of the import: a hexadecimal hash of the content and the key.
    pub fn import_id(&self) -> String {
        hash(&format!("{}\n{}", self.etag, self.key))
    }

    /// The id of the deliveries that the rows represent. It depends only on the content, so that the same
    /// file under another name is not applied twice.
    pub fn delivery_id(&self) -> String {
        format!("import.{}", hash(&self.etag))
    }
}

/// The first 128 bits of the SHA-256 of a text, in hexadecimal digits.
fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..16])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_events_of_uploaded_files_are_accepted() {
        let message =
            |key: &str, etag: &str| json!({"detail": {"object": {"key": key, "etag": etag, "size": 1}}});
        let file = UploadedFile::from_message(&message("incoming/a b/ü.csv", "\"d41d-2\"")).unwrap();
        assert_eq!((file.name(), file.etag.as_str(), file.is_folder()), ("a b/ü.csv", "d41d-2", false));
        let other_name = UploadedFile::from_message(&message("incoming/c.csv", "d41d-2")).unwrap();
        assert_eq!(file.delivery_id(), other_name.delivery_id());
        assert_ne!(file.import_id(), other_name.import_id());
        assert!(file.delivery_id().parse::<domain::DeliveryId>().is_ok());
        assert!(UploadedFile::from_message(&message("incoming/2026/", "d41d")).unwrap().is_folder());
        let long = format!("incoming/{}", "x".repeat(1024));
        for (key, etag) in
            [("results/a.csv", "d41d"), ("incoming/a", ""), ("incoming/a", "../x"), (&long, "d41d")]
        {
            assert!(
                matches!(UploadedFile::from_message(&message(key, etag)), Err(Failure::Poison(_))),
                "{key} {etag}"
            );
        }
        assert!(matches!(UploadedFile::from_message(&json!({"detail": {}})), Err(Failure::Poison(_))));
    }
}
