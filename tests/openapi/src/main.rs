//! `contract` writes the files that are generated from the API contract. `cargo xtask contract` runs it.

use std::fs;

use anyhow::Context as _;
use architecture::workspace::root;

fn main() -> anyhow::Result<()> {
    for (path, text) in openapi::files()? {
        let file = root().join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {}", path.display()))?;
        anstream::println!("wrote {}", path.display());
    }
    Ok(())
}
