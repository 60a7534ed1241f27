//! The checkpoint of an import, from which the next run resumes.

use domain::Lease;
use jiff::Timestamp;
use platform::objects::{MultipartUpload, Part};
use serde::{Deserialize, Serialize};

use super::records::Position;
use super::row::Header;

/// An import of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The id: [`UploadedFile::import_id`](super::upload::UploadedFile::import_id).
    pub id: String,
    /// The key of the file.
    pub file: String,
    /// The ETag of the file, without quotes.
    pub etag: String,
    /// Incremented by each write, for optimistic locking.
    pub version: u64,
    /// The lease of the run that processes the import.
    pub lease: Lease,
    /// When the first run started.
    pub started_at: Timestamp,
    /// How far the import has come.
    pub progress: Progress,
}

/// The progress of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The size of the file in bytes, once it has been opened.
    pub size: Option<u64>,
    /// The header, once it has been parsed.
    pub header: Option<Header>,
    /// The position up to which all rows have been processed.
    pub position: Position,
    /// The number of rows by outcome.
    pub counts: Counts,
    /// The chunks from which `rejected.csv` will be assembled, in order.
    #[serde(rename = "pieces")]
    pub rejected_chunks: Vec<RejectedChunk>,
    /// The current stage.
    pub stage: Stage,
}

impl Progress {
    /// The progress of an import that has not started.
    pub fn new() -> Self {
        Self {
            size: None,
            header: None,
            position: Position::START,
            counts: Counts::default(),
            rejected_chunks: Vec::new(),
            stage: Stage::Reading,
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of rows by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All rows, excluding the header and blank lines.
    pub rows: u64,
    /// The rows that were applied.
    pub applied: u64,
    /// The rows that were applied before, when the same content was uploaded under another name.
    pub repeated: u64,
    /// The rows in `rejected.csv`.
    pub rejected: u64,
    /// The number of pieces delivered by the applied rows.
    pub pieces: u64,
}

/// A chunk of `rejected.csv`, which is an object of its own until the file is assembled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedChunk {
    /// The key of the object.
    pub key: String,
    /// The size in bytes.
    pub size: usize,
}

/// The stage of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The rows are being read and applied.
    Reading,
    /// All rows have been processed, and the results are being written.
    Reporting {
        /// How reading the file ended.
        ending: Ending,
        /// The multipart upload of `rejected.csv` and the parts uploaded so far, if the file needs one.
        upload: Option<(MultipartUpload, Vec<Part>)>,
    },
    /// The import is complete.
    Done(Ending),
}

/// How reading a file ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The file was read to its end.
    Read,
    /// The file, or the rest of it, could not be read, for this reason.
    Refused(String),
    /// The file was replaced or removed. The replacement is a separate import.
    Gone,
}
