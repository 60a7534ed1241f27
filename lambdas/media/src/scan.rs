//! Whether a file is harmless: a port with two adapters, which differ in what starts a scan.
//!
//! GuardDuty scans by itself what comes into the quarantine, and its verdict is the message. `clamd` is asked when S3 says
//! that a file is there.

use async_trait::async_trait;
use bytes::Bytes;
use platform::Failure;
use serde_json::Value;

use crate::store::FileVersion;

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which file.
    pub file: FileVersion,
    /// What is known of it, where the message says it.
    pub verdict: Option<Verdict>,
}

/// What a scanner says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It knows of nothing bad in it. The only one that lets a file through.
    Clean,
    /// It found malware.
    Infected {
        /// What, as the scanner calls it.
        threat: String,
    },
    /// It cannot look into it.
    NotScannable,
    /// It failed, and will not try again by itself.
    Failed,
}

/// A scanner.
#[async_trait]
pub trait Scanner: Send + Sync {
    /// What a message is about.
    ///
    /// # Errors
    /// Where it is none that starts or ends a scan.
    fn arrival(&self, message: &Value) -> Result<Arrival, Failure>;

    /// What it says of the file, whose content this is. An error is no verdict: it is asked again.
    async fn scan(&self, arrival: &Arrival, content: Bytes) -> anyhow::Result<Verdict>;
}
