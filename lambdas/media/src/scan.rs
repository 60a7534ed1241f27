//! The port to a malware scanner. Its two adapters differ in what starts a scan.
//!
//! GuardDuty scans each new object in the quarantine bucket on its own, and the message contains its verdict.
//! `clamd` is called on the S3 event that an object was created.

use async_trait::async_trait;
use bytes::Bytes;
use platform::Failure;
use serde_json::Value;

use crate::store::FileVersion;

/// A file to scan, or one that has been scanned already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequest {
    /// The version of the file to scan.
    pub file: FileVersion,
    /// The verdict, if the message contains it.
    pub verdict: Option<Verdict>,
}

/// The verdict of a scanner on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No threats were found. Only this verdict admits a file.
    Clean,
    /// Malware was found.
    Infected {
        /// The name of the threat, as reported by the scanner.
        threat: String,
    },
    /// The scanner does not support the file.
    NotScannable,
    /// The scan failed, and the scanner does not retry it.
    Failed,
}

/// A malware scanner.
#[async_trait]
pub trait Scanner: Send + Sync {
    /// Parses a message that starts a scan or reports its result.
    ///
    /// # Errors
    /// If it is a different message.
    fn parse_message(&self, message: &Value) -> Result<ScanRequest, Failure>;

    /// Returns the verdict on the file with this content. An error is not a verdict, and the scan is retried.
    async fn scan(&self, request: &ScanRequest, content: Bytes) -> anyhow::Result<Verdict>;
}
