//! `template`: writes `template.yaml` and the README of each service. `cargo xtask template` runs it.

use anyhow::Context as _;
use architecture::workspace::root;

fn main() -> anyhow::Result<()> {
    let mut files = template::readmes(root())?;
    files.insert("template.yaml".to_owned(), template::assemble(root())?);
    let mut changed = 0;
    for (path, text) in files {
        let file = root().join(&path);
        if std::fs::read_to_string(&file).is_ok_and(|found| found == text) {
            continue;
        }
        std::fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
        anstream::println!("wrote {path}");
        changed += 1;
    }
    if changed == 0 {
        anstream::println!("template.yaml and the READMEs of the services are up to date");
    }
    Ok(())
}
