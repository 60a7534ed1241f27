//! Names, comments and documents use the terms of the field.

use std::path::Path;

use anyhow::{Context, Result};
use walkdir::{DirEntry, WalkDir};

use crate::Violations;

/// Phrases to avoid, and what to say instead. Add any that a reader stumbles over. Lower case matches any case.
///
/// A phrase is found where a word begins with it, so `wish` finds `wishes`, and with `_` for a blank where it is part of a
/// name. `^` at the end asks for the end of the word as well.
const PHRASES: &[(&str, &str)] = &[
    ("at it already", "leased by another worker"),
    ("brought again", "redelivered"),
    ("buried", "sent to the DLQ"),
    ("bury", "send to the DLQ"),
    ("came again", "was redelivered, was retried"),
    ("cannot be had", "is unavailable"),
    ("come again", "be redelivered, be retried"),
    ("comes again", "is redelivered, is retried"),
    ("cut off^", "interrupted"),
    ("fresh id", "new id"),
    ("goes on with", "resumes"),
    ("gone on with", "resumed"),
    ("hears of", "subscribes to"),
    ("is at it", "holds the lease"),
    ("is had", "is available"),
    ("LARGEST_", "MAX_"),
    ("late repeat", "late redelivery"),
    ("LONGEST_", "MAX_"),
    ("MOST_", "MAX_"),
    ("person has to look", "needs manual intervention"),
    ("put away", "send to the DLQ"),
    ("puts away", "sends to the DLQ"),
    ("set aside", "reserve"),
    ("set free", "release"),
    ("sets aside", "reserves"),
    ("sets free", "releases"),
    ("told of", "published, subscribes to"),
    ("tongue", "language"),
    ("what became of", "the outcome of, the state of"),
    ("what becomes of", "the outcome of, the state of"),
    ("wish", "cancellation request, command"),
    ("without_values", "redact_values"),
];

/// The endings of the files that people read.
const READ: &[&str] = &["html", "json", "md", "mk", "py", "rs", "toml", "yaml", "yml"];
/// Folders that are not ours, and files that only machines read.
const SKIPPED: &[&str] = &[".aws-sam", ".git", ".local", "Cargo.lock", "snapshots", "target"];
/// This file, which has to name them.
const LIST: &str = "tests/architecture/src/words.rs";

/// The words a doc comment needs to say more than the name below it, unless it has code or a link.
const MIN_WORDS: usize = 3;

/// The files below `root` that people read, by path from there.
///
/// # Errors
/// When a file cannot be read.
pub fn texts(root: &Path) -> Result<Vec<(String, String)>> {
    let kept = |entry: &DirEntry| !SKIPPED.iter().any(|name| entry.file_name() == *name);
    let mut found = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(kept) {
        let entry = entry?;
        let path = entry.path();
        let is_read = path.extension().is_some_and(|end| READ.iter().any(|read| end == *read));
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        if is_read && entry.file_type().is_file() && name != LIST {
            let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
            found.push((name, text));
        }
    }
    Ok(found)
}

/// No text uses a phrase of the list.
pub fn phrases_are_of_the_field(texts: &[(String, String)]) -> Violations {
    let mut found = Vec::new();
    for (path, text) in texts {
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let is_in =
                |phrase: &str| has(if phrase == phrase.to_lowercase() { &lower } else { line }, phrase);
            for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| is_in(phrase)) {
                let phrase = phrase.trim_end_matches('^');
                found.push(format!("{path}:{}: not \"{phrase}\", but: {instead}", number + 1));
            }
        }
    }
    found
}

/// Whether a line has a phrase, as words or as part of a name.
fn has(line: &str, phrase: &str) -> bool {
    let whole = phrase.ends_with('^');
    let phrase = phrase.trim_end_matches('^');
    let name = phrase.replace(' ', "_");
    [phrase, name.as_str()].into_iter().any(|phrase| {
        line.match_indices(phrase).any(|(at, _)| {
            let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric());
            let ends = !line[at + phrase.len()..].starts_with(|c: char| c.is_alphanumeric());
            begins && (ends || !whole)
        })
    })
}

/// No doc comment is so short that it only repeats a name.
pub fn doc_comments_say_something(texts: &[(String, String)]) -> Violations {
    let mut found = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let mut comment: Option<(usize, String)> = None;
        for (number, line) in text.lines().chain([""]).enumerate() {
            let line = line.trim_start();
            if let Some(more) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
                let (_, said) = comment.get_or_insert_with(|| (number + 1, String::new()));
                said.push_str(more);
            } else if let Some((number, said)) = comment.take()
                && said.split_whitespace().count() < MIN_WORDS
                && !said.contains(['`', '<'])
            {
                found.push(format!(
                    "{path}:{number}: \"{}\": say units, range, source or reason, or remove it",
                    said.trim()
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, text: &str) -> Vec<(String, String)> {
        vec![(path.to_owned(), text.to_owned())]
    }

    #[test]
    fn a_phrase_is_found_in_a_sentence_and_in_a_name() {
        for line in
            ["the stock is Set aside.", "const MOST_LINES: usize = 5;", "fn set_aside()", "two wishes"]
        {
            let found = phrases_are_of_the_field(&text("docs/API.md", &format!("\n{line}\n")));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
            assert!(found[0].starts_with("docs/API.md:2: not "), "{found:?}");
        }
        for line in
            ["a reset asidebar", "fn longest_run()", "UTMOST_", "the cutoff date", "swish", "cut offset"]
        {
            assert_eq!(phrases_are_of_the_field(&text("a.rs", line)), Violations::new(), "{line}");
        }
    }

    #[test]
    fn a_doc_comment_of_two_words_says_nothing() {
        let found =
            doc_comments_say_something(&text("a.rs", "    /// Which.\n    A,\n/// The number.\nstruct B;"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("a.rs:3: \"The number.\""), "{found:?}");
        let fine =
            "/// In seconds,\n/// rounded.\nstruct A;\n//! The whole crate.\n// Why.\nlet url = \"///\";";
        assert_eq!(doc_comments_say_something(&text("a.rs", fine)), Violations::new());
        assert_eq!(doc_comments_say_something(&text("a.md", "/// Which.\n")), Violations::new());
    }
}
