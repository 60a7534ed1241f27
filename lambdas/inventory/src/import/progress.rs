//! How far an import is: what is kept of it, so that the next run goes on where the last one was.

use async_trait::async_trait;
use domain::Lease;
use jiff::Timestamp;
use platform::objects::{MultipartUpload, Part};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

use super::lines::Position;
use super::row::Header;

/// An import of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// What names it: [`Dropped::import_id`](super::notice::Dropped::import_id).
    pub id: String,
    /// The file's name in the bucket.
    pub file: String,
    /// What names its content, without quotes.
    pub etag: String,
    /// Goes up by one with every write.
    pub version: u64,
    /// Who is at it.
    pub lease: Lease,
    /// When it was begun.
    pub started_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The bytes of the file, once it was opened.
    pub size: Option<u64>,
    /// What its first line says, once that was read.
    pub header: Option<Header>,
    /// All rows before this place are dealt with.
    pub position: Position,
    /// What became of them.
    pub counts: Counts,
    /// What `rejected.csv` will be made of, in order.
    pub pieces: Vec<Piece>,
    /// What comes next.
    pub stage: Stage,
}

impl Progress {
    /// Of a file that nobody has looked at.
    pub fn new() -> Self {
        Self {
            size: None,
            header: None,
            position: Position::START,
            counts: Counts::default(),
            pieces: Vec::new(),
            stage: Stage::Reading,
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of a file's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All rows, without the header and empty lines.
    pub rows: u64,
    /// Those that are counted in.
    pub applied: u64,
    /// Those that were counted in before, when the same content was dropped under another name.
    pub repeated: u64,
    /// Those in `rejected.csv`.
    pub rejected: u64,
    /// The pieces that were delivered with the applied rows.
    pub pieces: u64,
}

/// A part of `rejected.csv` that is in a file of its own until the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its name in the bucket.
    pub key: String,
    /// Its bytes.
    pub size: usize,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Rows are read.
    Reading,
    /// No row is left, and the results are written.
    Reporting {
        /// How reading ended.
        ending: Ending,
        /// What is written of `rejected.csv`, where that takes more than one call.
        upload: Option<(MultipartUpload, Vec<Part>)>,
    },
    /// Nothing.
    Done(Ending),
}

/// How reading a file ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// At its end.
    Read,
    /// It cannot be read, or not beyond some line, for this reason.
    Refused(String),
    /// It was replaced or removed. What replaced it is an import of its own.
    Gone,
}

/// What is kept of the imports.
#[async_trait]
pub trait Imports: Send + Sync {
    /// One import.
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>>;

    /// Writes `import` if the one that is kept still has the version `read`; `None`: if there is none. False, and
    /// nothing written, where that is not so.
    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool>;
}

/// Where the function gets its messages from.
#[async_trait]
pub trait GoOn: Send + Sync {
    /// Has the function called again with this message, after a while.
    async fn go_on(&self, message: &Value, after: Duration) -> anyhow::Result<()>;
}
