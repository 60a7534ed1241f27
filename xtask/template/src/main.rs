//! `template`: writes `template.yaml`. `cargo xtask template` runs it.

use anyhow::Context as _;
use architecture::workspace::root;

fn main() -> anyhow::Result<()> {
    let file = root().join("template.yaml");
    let text = template::assemble(root())?;
    if std::fs::read_to_string(&file).is_ok_and(|found| found == text) {
        anstream::println!("template.yaml is up to date");
        return Ok(());
    }
    std::fs::write(&file, text).context("cannot write template.yaml")?;
    anstream::println!("wrote template.yaml");
    Ok(())
}
