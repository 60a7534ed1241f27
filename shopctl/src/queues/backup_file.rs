//! A file that keeps discarded messages: each is on disk before it is deleted from its queue.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;

use super::message::DeadLetterMessage;

/// A file of discarded messages, one JSON object per line.
pub struct BackupFile {
    path: PathBuf,
    file: File,
}

impl BackupFile {
    /// Opens `path` for appending, or creates a file in `folder`. Only its owner may read it: the messages contain
    /// names and addresses.
    ///
    /// # Errors
    /// When the file cannot be opened or created.
    pub fn open(path: Option<&Path>, folder: &Path, now: Timestamp) -> anyhow::Result<Self> {
        let name = || format!("{now:.0}.jsonl").replace(':', "");
        let path = path.map_or_else(|| folder.join(name()), Path::to_path_buf);
        let context = || format!("cannot write {}", path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(context)?;
        }
        let file =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&path).with_context(context)?;
        Ok(Self { path, file })
    }

    /// Appends a message, and returns when it is on disk.
    pub fn append(&mut self, queue: &str, message: &DeadLetterMessage, now: Timestamp) -> anyhow::Result<()> {
        let line = format!("{}\n", message.record(queue, now));
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_all())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
