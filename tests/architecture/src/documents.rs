//! The links and paths in documents exist, and the pictures are those of their sources.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Violations;

/// Folders at the root whose files documents name in backticks.
const NAMED: &[&str] = &["build/", "docs/", "events/", "lambdas/", "shared/", "shopctl/", "tests/", "xtask/"];

/// Links and paths in Markdown lead to files and headings that exist. Paths may have `{a,b}`, and `<…>` for any name.
pub fn links_and_paths_exist(root: &Path, texts: &[(String, String)]) -> Violations {
    let mut found = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        for (number, line) in text.lines().enumerate() {
            let mut missing = |what: &str| {
                found.push(format!("{path}:{}: there is no {what}: correct or remove it", number + 1));
            };
            for target in between(line, "](", ")").filter(|target| !target.contains("://")) {
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let file = if file.is_empty() { Path::new(path).to_path_buf() } else { folder.join(file) };
                if !root.join(&file).exists() || !has_heading(root, &file, heading) {
                    missing(target);
                }
            }
            let is_path =
                |code: &&str| NAMED.iter().any(|folder| code.starts_with(folder)) && !code.contains(' ');
            for code in between(line, "`", "`").filter(is_path).filter(|code| !code.contains(['<', '*', '…']))
            {
                for path in alternatives(code).iter().filter(|path| !root.join(path).exists()) {
                    missing(path);
                }
            }
        }
    }
    found
}

/// Every picture is rendered from its source: its last line has the SHA-256 of the source.
///
/// # Errors
/// When a file cannot be read.
pub fn pictures_are_current(root: &Path) -> anyhow::Result<Violations> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join("docs/pictures"))? {
        let source = entry?.path();
        if source.extension().is_some_and(|extension| extension == "mmd") {
            let hash = format!("<!-- {} -->", hex::encode(Sha256::digest(std::fs::read(&source)?)));
            let picture = std::fs::read_to_string(source.with_extension("svg")).unwrap_or_default();
            if picture.lines().last() != Some(&hash) {
                found.push(format!(
                    "{}: the picture is not of this source: run docs/render-pictures.sh",
                    source.display()
                ));
            }
        }
    }
    Ok(found)
}

/// The texts between `open` and `close`, from left to right.
fn between<'a>(line: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (inside, after) = rest.split_once(open)?.1.split_once(close)?;
        rest = after;
        Some(inside)
    })
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`. A path may end in `:` and a line.
fn alternatives(code: &str) -> Vec<String> {
    let code = code.split(':').next().unwrap_or_default();
    match code.split_once('{').and_then(|(start, rest)| Some((start, rest.split_once('}')?))) {
        Some((start, (names, end))) => names.split(',').map(|name| format!("{start}{name}{end}")).collect(),
        None => vec![code.to_owned()],
    }
}

/// Whether a Markdown file has a heading with GitHub's anchor `anchor`; every file has the empty one.
fn has_heading(root: &Path, file: &Path, anchor: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(root.join(file)) else { return anchor.is_empty() };
    let is_it =
        |line: &str| line.starts_with('#') && github_anchor(line.trim_start_matches('#').trim()) == anchor;
    anchor.is_empty() || text.lines().any(is_it)
}

/// Lower case, without punctuation, and `-` for a blank.
fn github_anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::assert_reports;
    use crate::workspace::root;

    fn violations(text: &str) -> Violations {
        links_and_paths_exist(root(), &[("docs/X.md".to_owned(), text.to_owned())])
    }

    #[test]
    fn a_link_to_nowhere() {
        assert_reports(&violations("[a](../README.md), [b](NOWHERE.md)"), &["docs/X.md:1", "NOWHERE.md"]);
        assert_reports(&violations("[a](../README.md#run-it), [b](../README.md#nowhere)"), &["#nowhere"]);
        assert_eq!(
            violations("[a](../README.md#run-it) [b](https://example.com/x) `cargo xtask up`"),
            Violations::new()
        );
    }

    #[test]
    fn a_path_that_is_gone() {
        assert_reports(
            &violations("see `shared/domain/src/{order,gone}.rs`"),
            &["shared/domain/src/gone.rs"],
        );
        assert_eq!(
            violations("`shared/domain/src/{order,money}.rs` `lambdas/<service>/x.rs`"),
            Violations::new()
        );
    }
}
