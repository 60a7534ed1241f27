//! `catalogue` writes the event catalogue (docs/EVENTS.md, docs/schemas) and the state machines (docs/STATES.md).
//! `cargo xtask catalogue` runs it.

use std::fs;

use anyhow::Context as _;
use architecture::template::Template;
use architecture::workspace::root;

fn main() -> anyhow::Result<()> {
    for (path, text) in architecture::catalogue::files(&Template::of_repository()?)? {
        let file = root().join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        anstream::println!("wrote {}", path.display());
    }
    Ok(())
}
