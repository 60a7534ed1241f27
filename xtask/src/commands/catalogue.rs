//! `cargo xtask catalogue`

use std::fs;

use anyhow::Context as _;
use architecture::template::Template;
use architecture::workspace::root;

use crate::ui;

/// Generate the event catalogue from the types (docs/EVENTS.md, docs/schemas) and the state machines (docs/STATES.md).
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    for (path, text) in architecture::catalogue::files(&Template::of_repository()?)? {
        let file = root().join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        ui::success(&format!("wrote {}", path.display()));
    }
    Ok(())
}
