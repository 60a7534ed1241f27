//! The bucket that files are uploaded to, with all versions of each, and the results of their scans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::product::RejectReason;
use media::store::{FileVersion, ReadOutcome};
use platform::lock;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::World;

/// A PNG of one pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00,
    0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x64, 0x60, 0xf8, 0x5f, 0x0f, 0x00, 0x02,
    0x87, 0x01, 0x80, 0xeb, 0x47, 0xba, 0x92, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42,
    0x60, 0x82,
];
/// A GIF of one pixel.
const GIF: &[u8] = &[
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0xff, 0xff, 0xff, 0x00,
    0x00, 0x00, 0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3b,
];

/// A file that staff upload, with the verdict of the scanner on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// A harmless PNG.
    Clean,
    /// A GIF that the scanner finds infected.
    Infected,
    /// A harmless file that is no image.
    Text,
    /// A GIF that the scanner does not support.
    NotScannable,
    /// A GIF whose scan fails.
    ScanFails,
}

impl File {
    /// All files that a client may upload.
    pub const ALL: [Self; 5] = [Self::Clean, Self::Infected, Self::Text, Self::NotScannable, Self::ScanFails];

    /// The result of an upload of the file: `None` if it is accepted.
    pub fn expected(self) -> Option<RejectReason> {
        match self {
            Self::Clean => None,
            Self::Infected => Some(RejectReason::Malware),
            Self::Text => Some(RejectReason::NotAnImage),
            Self::NotScannable => Some(RejectReason::NotScannable),
            Self::ScanFails => Some(RejectReason::ScanFailed),
        }
    }

    fn content(self) -> Bytes {
        match self {
            Self::Clean => Bytes::from_static(PNG),
            Self::Text => Bytes::from_static(b"not an image"),
            Self::Infected | Self::NotScannable | Self::ScanFails => Bytes::from_static(GIF),
        }
    }

    /// GuardDuty's status of the scan.
    fn scan_status(self) -> &'static str {
        match self {
            Self::Clean | Self::Text => "NO_THREATS_FOUND",
            Self::Infected => "THREATS_FOUND",
            Self::NotScannable => "UNSUPPORTED",
            Self::ScanFails => "FAILED",
        }
    }
}

/// The versions of each file, by key. A version that was deleted has no file.
#[derive(Default)]
pub struct QuarantineBucket {
    versions: Mutex<BTreeMap<String, Vec<Version>>>,
}

/// A version of a file.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// What was uploaded in this version.
    pub file: File,
    /// Whether the version was deleted.
    pub is_deleted: bool,
}

impl QuarantineBucket {
    /// The versions of the file with this key, the oldest first.
    pub fn versions(&self, key: &str) -> Vec<Version> {
        lock(&self.versions).get(key).cloned().unwrap_or_default()
    }

    /// Reads a version of a file.
    pub fn read(&self, file: &FileVersion) -> ReadOutcome {
        let index = file.version.as_deref().and_then(|version| version.parse::<usize>().ok());
        let versions = self.versions(&file.key);
        match index.and_then(|index| versions.get(index)) {
            Some(version) if !version.is_deleted && etag(version.file) == file.etag => {
                ReadOutcome::File(version.file.content())
            }
            _ => ReadOutcome::Gone,
        }
    }

    /// Deletes all versions of a file.
    pub fn delete(&self, key: &str) {
        for version in lock(&self.versions).get_mut(key).into_iter().flatten() {
            version.is_deleted = true;
        }
    }
}

fn etag(file: File) -> String {
    Sha256::digest(file.content()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Stores a file. GuardDuty scans it and publishes the result, at least once.
pub fn put(world: &Arc<World>, key: &str, file: File) {
    let version = {
        let mut versions = lock(&world.parts.media.quarantine.versions);
        let versions = versions.entry(key.to_owned()).or_default();
        versions.push(Version { file, is_deleted: false });
        versions.len().saturating_sub(1)
    };
    let message = json!({
        "source": "aws.guardduty",
        "detail-type": "GuardDuty Malware Protection Object Scan Result",
        "detail": {
            "s3ObjectDetails": {
                "bucketName": "UploadsBucket", "objectKey": key, "eTag": etag(file), "versionId": version.to_string(),
            },
            "scanResultDetails": { "scanResultStatus": file.scan_status(), "threats": [{ "name": "EICAR" }] },
        },
    });
    let times = if world.sim.should_inject(|rates| rates.duplicate) { 2 } else { 1 };
    for _ in 0..times {
        let is_late = world.sim.should_inject(|rates| rates.delay);
        let wait = Duration::from_secs(if is_late { 3600 } else { 20 });
        let (sent, body) = (Arc::clone(world), message.to_string());
        let wait = world.sim.random_delay(wait);
        world.sim.scheduler.schedule_in_flight(wait, move || sent.send_to("process-upload", &body));
    }
}
