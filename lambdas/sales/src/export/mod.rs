//! Exports of orders. They are requested over HTTP and written by a function that resumes from a checkpoint
//! when it is interrupted.
//!
//! | module | content |
//! |---|---|
//! | [`api`] | `exports-api`: create an export, read its status, get a download link |
//! | [`run`] | `export-orders`: writes the file in parts |
//! | [`encode`] | CSV, JSON Lines and Parquet, in bounded memory, with a serializable state |
//! | [`store`] | the ports |
//!
//! An export is a snapshot: it contains all orders that were placed in its period and before the export was
//! requested, each with its state at the time of the request. Events that had occurred by then, but had not
//! reached the ledger when it was read, are missing. That affects a few seconds, unless an event was delayed.

pub mod api;
mod contract;
pub mod encode;
mod request;
pub mod run;
pub mod store;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use domain::Lease;
use domain::order::OrderStatus;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The time for which the file is kept. It matches the lifecycle rule of the bucket.
pub const FILE_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The time for which the record of an export, and with it the idempotency key, is kept.
pub const RECORD_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The time without progress after which reading an export sends its message again, because the message may
/// be lost.
pub const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(3);

/// The id of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"))]
pub struct ExportId(Uuid);

impl From<Uuid> for ExportId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ExportId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = Uuid::from_str(text).ok().filter(|id| id.to_string().eq_ignore_ascii_case(text));
        id.map(Self).ok_or_else(|| "must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057".to_owned())
    }
}

/// The file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExportFormat")]
pub enum Format {
    /// One row per order line, for spreadsheets (RFC 4180, UTF-8 with a byte order mark).
    Csv,
    /// One order per line, as JSON.
    JsonLines,
    /// One row per order line, in typed columns (Apache Parquet).
    Parquet,
}

impl Format {
    /// Returns the file name extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// The parameters of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ExportRequest {
    /// The start of the period, inclusive.
    pub from: Timestamp,
    /// The end of the period, exclusive.
    pub until: Timestamp,
    /// The statuses of the orders to include; empty for all.
    pub statuses: BTreeSet<OrderStatus>,
    pub format: Format,
}

/// The record of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Export {
    pub id: ExportId,
    /// The validated parameters.
    #[serde(rename = "wanted")]
    pub request: ExportRequest,
    /// A digest of the parameters, to detect another request with the same idempotency key.
    pub fingerprint: String,
    /// The time of the request, which is also the time of the snapshot.
    pub requested_at: Timestamp,
    pub state: State,
    /// The lease of the worker, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// The number of attempts since the export last made progress.
    #[serde(default)]
    pub attempts: u32,
    /// The time of the last change of the record.
    #[serde(rename = "moved_at")]
    pub updated_at: Timestamp,
}

/// The state of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// No worker has saved a checkpoint yet.
    Queued,
    /// Part of the file is written.
    Running {
        /// The key of the object that holds the checkpoint.
        checkpoint: String,
        /// The number of orders written so far.
        orders: u64,
    },
    /// The file is complete.
    Done {
        /// The number of orders in the file.
        orders: u64,
        /// The size of the file in bytes.
        bytes: u64,
        /// The time of completion.
        at: Timestamp,
    },
    /// The export failed after [`run::MAX_ATTEMPTS`] attempts without progress.
    Failed {
        /// The time of the failure.
        at: Timestamp,
    },
}

impl Export {
    /// Creates an export that is to be processed. `fingerprint` is that of the request.
    pub fn new(id: ExportId, request: ExportRequest, fingerprint: String, now: Timestamp) -> Self {
        Self {
            id,
            request,
            fingerprint,
            requested_at: now,
            state: State::Queued,
            lease: None,
            attempts: 0,
            updated_at: now,
        }
    }

    /// Whether the state is final.
    pub fn is_final(&self) -> bool {
        matches!(self.state, State::Done { .. } | State::Failed { .. })
    }

    /// Whether no worker holds the lease and the export has made no progress for [`OVERDUE_AFTER`].
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let is_leased = self.lease.is_some_and(|lease| now < lease.expires_at);
        !self.is_final() && !is_leased && now.duration_since(self.updated_at) > OVERDUE_AFTER
    }

    /// Returns the key of the file in the bucket.
    pub fn key(&self) -> String {
        format!("exports/{}/{}", self.id, self.file_name())
    }

    /// Returns the file name for downloads.
    pub fn file_name(&self) -> String {
        format!("orders-{}.{}", self.requested_at.strftime("%Y%m%d-%H%M%S"), self.request.format.extension())
    }
}
