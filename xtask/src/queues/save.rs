//! A file for what is discarded, on the disk before it is gone from the queue.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;

use super::letter::DeadLetter;
use crate::instance;

/// Where discarded messages are kept, one JSON object a line.
pub(crate) struct Save {
    path: PathBuf,
    file: File,
}

impl Save {
    /// Goes on writing to `path`, or to a new file under `.local/dead-letters`. Only its owner may read it: the
    /// messages hold names and addresses.
    pub(crate) fn open(path: Option<&Path>, now: Timestamp) -> anyhow::Result<Self> {
        let path = path.map_or_else(
            || {
                let name = format!("{now:.0}.jsonl").replace(':', "");
                instance::local_dir().join("dead-letters").join(name)
            },
            Path::to_path_buf,
        );
        let asked = || format!("cannot write {}", path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(asked)?;
        }
        let file =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&path).with_context(asked)?;
        Ok(Self { path, file })
    }

    /// Writes a message, and returns when it is on the disk.
    pub(crate) fn put(&mut self, queue: &str, letter: &DeadLetter, now: Timestamp) -> anyhow::Result<()> {
        let line = format!("{}\n", letter.record(queue, now));
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_all())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
