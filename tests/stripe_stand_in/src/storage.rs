//! Persists the account in one JSON file, which is replaced atomically.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::stand_in::StandIn;

/// The delay of a write after a change; further changes in this time are written with it.
const WRITE_DELAY: Duration = Duration::from_millis(200);
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File<A> {
    version: u32,
    account: A,
}

/// Loads the account from a file; returns an empty account if the file does not exist.
///
/// # Errors
/// When the file cannot be read or parsed, or has another version.
pub fn load(path: &Path) -> anyhow::Result<Account> {
    let advice =
        || format!("cannot use the state file {}: move it away, or pass another --state", path.display());
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Account::default()),
        other => other.with_context(advice)?,
    };
    let file: File<Account> = serde_json::from_slice(&text).with_context(advice)?;
    ensure!(file.version == VERSION, "{} (it has version {}, not {VERSION})", advice(), file.version);
    Ok(file.account)
}

/// Writes the account to a temporary file and renames it, so that the file is always complete.
///
/// # Errors
/// When the file cannot be written.
pub fn save(stand_in: &StandIn, path: &Path) -> anyhow::Result<()> {
    let _one_at_a_time = stand_in.writing.lock().unwrap_or_else(PoisonError::into_inner);
    let text = serde_json::to_vec(&File { version: VERSION, account: &stand_in.state().account })?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the directory {}", folder.display()))?;
    }
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, text)
        .and_then(|()| std::fs::rename(&temporary, path))
        .with_context(|| format!("cannot write the state file {}", path.display()))
}

/// Writes the account after each change, for as long as the process runs. If the process is killed, at most
/// 200 ms of changes are lost.
pub async fn save_on_change(stand_in: Arc<StandIn>, path: PathBuf, report: impl Fn(anyhow::Error)) {
    loop {
        stand_in.changed.notified().await;
        tokio::time::sleep(WRITE_DELAY).await;
        let (writer, target) = (stand_in.clone(), path.clone());
        match tokio::task::spawn_blocking(move || save(&writer, &target)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => report(error),
            Err(error) => report(error.into()),
        }
    }
}
