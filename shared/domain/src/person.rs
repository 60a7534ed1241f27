//! Personal data. Its types redact it in `Debug` and have no `Display`, so that it cannot end up in a log line
//! by accident. Serialising them is a deliberate act.

use crate::readable::{READABLE_PATTERN, check_readable, read_stored};
use crate::text::{InvalidText, check, printable, redacted, text_type};

text_type! {
    /// An e-mail address: 3 to 254 characters. The local part is a dot-string of at most 64 characters; the domain
    /// has at least two labels of at most 63 letters, digits and hyphens (RFC 5321 §4.1.2 and §4.5.3.1). SES
    /// refuses other addresses, and quoted local parts and address literals are not accepted. Only the syntax is
    /// validated, not that the mailbox exists.
    EmailAddress,
    max_length: 254,
    // A pattern cannot count the dots of the local part.
    pattern: r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-](\.?[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]){0,63}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
    check: check_email,
    stored: |text| read_stored(text, 254)
}
text_type! {
    /// The name of a person, used to address them. 1 to 100 characters, with a visible one and without control and
    /// invisible ones. Emails greet with it, so that it has no web address: mail programs would turn one into a
    /// link in an email that the shop sends.
    PersonName,
    max_length: 100,
    pattern: READABLE_PATTERN,
    check: check_person_name,
    stored: |text| read_stored(text, 100)
}
text_type! {
    /// A language code: two lower-case letters (ISO 639-1). Only the format is checked, and the shop need not
    /// support the language.
    Language,
    max_length: 2,
    pattern: r"^[a-z]{2}$",
    check: check_language
}

fn check_language(text: &str) -> Result<&str, InvalidText> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Ok(text)
    } else {
        Err(InvalidText("must be two lower-case letters such as de (ISO 639-1)".into()))
    }
}

fn check_email(text: &str) -> Result<&str, InvalidText> {
    check(
        text,
        254,
        |c| c.is_ascii_graphic() && !"<>\"(),;:[]\\".contains(c),
        "ASCII letters, digits and the punctuation that is common in e-mail addresses",
    )?;
    let Some((local, host)) = text.split_once('@') else { return Err(invalid_email()) };
    if local.len() > 64 {
        return Err(InvalidText("the part before @ may have at most 64 characters".into()));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A numeric last label would make it an IP address.
    let is_domain =
        host.rsplit_once('.').is_some_and(|(_, last)| last.starts_with(|c: char| c.is_ascii_alphabetic()))
            && host.split('.').all(is_label);
    if is_domain && local.split('.').all(|atom| !atom.is_empty()) { Ok(text) } else { Err(invalid_email()) }
}

fn invalid_email() -> InvalidText {
    InvalidText("must be an e-mail address such as ada@example.com".into())
}

fn check_person_name(text: &str) -> Result<&str, InvalidText> {
    let name = check_readable(text, 100)?;
    if has_link(name) {
        return Err(InvalidText(
            "must not contain a web address: write a space after a full stop that is not part of one".into(),
        ));
    }
    Ok(name)
}

/// Whether mail programs may turn a part of the text into a link: a URL, or a domain name, with or without a path
/// or a local part. An abbreviation before a capital letter (`Dr.Schmidt`, `Co.KG`) is not one.
fn has_link(text: &str) -> bool {
    let lower = text.to_lowercase();
    let is_domain = |(before, after): (&str, &str)| {
        let label = before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '-').count();
        let rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let last = after.strip_suffix(rest).unwrap_or_default();
        let is_abbreviation =
            label <= 2 && last.starts_with(char::is_uppercase) && !rest.starts_with(['/', ':', '?']);
        label > 0 && last.len() >= 2 && last.starts_with(char::is_alphabetic) && !is_abbreviation
    };
    let mut around_dots =
        text.match_indices('.').filter_map(|(dot, _)| text.get(..dot).zip(text.get(dot + 1..)));
    ["://", "www.", "mailto:"].iter().any(|start| lower.contains(start)) || around_dots.any(is_domain)
}

redacted!(EmailAddress, PersonName);
printable!(Language);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_codes_are_validated() {
        assert!("de".parse::<Language>().is_ok());
        for bad in ["", "d", "DE", "deu", "d1", "ä"] {
            assert!(bad.parse::<Language>().is_err(), "{bad}");
        }
    }
}
