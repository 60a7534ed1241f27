//! Exports of orders: asked for over HTTP, written by a function that goes on where it was cut off.
//!
//! | module | is |
//! |---|---|
//! | [`api`] | `exports-api`: ask for an export, see how far it is, get a link to it |
//! | [`run`] | `export-orders`: writes the file, part by part |
//! | [`encode`] | CSV, JSON Lines and Parquet, in bounded memory, in a state that can be put down and taken up again |
//! | [`store`] | the ports |
//!
//! What an export holds is a cut: all orders that were placed in its period and before it was asked for, each as it
//! stood at that moment. What had happened by then but had not reached the ledger when it was read is not in it: that
//! is a matter of seconds, unless an event was delayed.

pub mod api;
mod contract;
pub mod encode;
mod request;
pub mod run;
pub mod store;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use domain::Lease;
use domain::order::OrderStatus;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long the file is there after it was written: the bucket's lifecycle removes it then.
pub const FILE_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long is remembered that there was an export, and with it the key that it was asked for with.
pub const RECORD_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// After so long without news somebody has to look whether the message is lost that moves it on.
pub const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(3);

/// Names an export.
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

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExportFormat")]
pub enum Format {
    /// A row for each line of an order, for spreadsheets (RFC 4180, UTF-8 with a byte order mark).
    Csv,
    /// An order per line, as JSON.
    JsonLines,
    /// A row for each line of an order, in typed columns (Apache Parquet).
    Parquet,
}

impl Format {
    /// How its files' names end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// Orders placed from then on,
    pub from: Timestamp,
    /// and before then.
    pub until: Timestamp,
    /// Only orders that stand so; all, where it is empty.
    pub statuses: BTreeSet<OrderStatus>,
    /// How to write it.
    pub format: Format,
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Names it.
    pub id: ExportId,
    /// What was asked for.
    #[serde(rename = "wanted")]
    pub request: ExportRequest,
    /// Tells whether another request with the same key asks for the same.
    pub fingerprint: String,
    /// When it was asked for: the moment of the cut.
    pub requested_at: Timestamp,
    /// How far it is.
    pub state: State,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// How often somebody began to work on it since it last came on.
    #[serde(default)]
    pub attempts: u32,
    /// When there was last any news of it.
    #[serde(rename = "moved_at")]
    pub updated_at: Timestamp,
}

/// How far an export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Nobody has begun.
    Queued,
    /// Some of it is written.
    Running {
        /// The file in which it stands where to go on.
        checkpoint: String,
        /// Orders so far.
        orders: u64,
    },
    /// All of it is written.
    Done {
        /// How many orders are in it.
        orders: u64,
        /// How many bytes the file has.
        bytes: u64,
        /// When it was.
        at: Timestamp,
    },
    /// It was given up.
    Failed {
        /// When.
        at: Timestamp,
    },
}

impl Export {
    /// Whether nothing will change it any more.
    pub fn is_final(&self) -> bool {
        matches!(self.state, State::Done { .. } | State::Failed { .. })
    }

    /// Whether somebody would have moved it on by now.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let is_leased = self.lease.is_some_and(|lease| now < lease.expires_at);
        !self.is_final() && !is_leased && now.duration_since(self.updated_at) > OVERDUE_AFTER
    }

    /// The name of the file in the bucket.
    pub fn key(&self) -> String {
        format!("exports/{}/{}", self.id, self.file_name())
    }

    /// What a browser calls the file.
    pub fn file_name(&self) -> String {
        format!("orders-{}.{}", self.requested_at.strftime("%Y%m%d-%H%M%S"), self.request.format.extension())
    }
}
