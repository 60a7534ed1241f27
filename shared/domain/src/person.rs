//! Personal data. Its types redact it in `Debug` and have no `Display`, so that it cannot end up in a log line
//! by accident. Serialising them is a deliberate act.

use crate::text::{InvalidText, check, printable, redacted, text_type};

text_type! {
    /// An e-mail address: 3 to 254 characters with one `@`, followed by a domain that contains a dot (RFC
    /// 5321 §4.5.3.1.3 sets the length). Only the syntax is validated, not that the mailbox exists.
    EmailAddress,
    max_length: 254,
    pattern: r"^[!#-'*+.-9=?A-Z^-~-]{1,64}@[!#-'*+/-9=?A-Z^-~]([!#-'*+/-9=?A-Z^-~-]*[!#-'*+/-9=?A-Z^-~])?(\.[!#-'*+/-9=?A-Z^-~]([!#-'*+/-9=?A-Z^-~-]*[!#-'*+/-9=?A-Z^-~])?)+$",
    check: check_email
}
text_type! {
    /// The name of a person, used to address them. 1 to 100 characters, without control characters.
    PersonName,
    max_length: 100,
    pattern: r"^[^\u0000-\u001f\u007f-\u009f]+$",
    check: |text| check(text, 100, |c| !c.is_control(), "printable characters")
}
text_type! {
    /// A language code: two lower-case letters (ISO 639-1). Only the format is checked, and the shop need not
    /// support the language.
    Language,
    max_length: 2,
    pattern: r"^[a-z]{2}$",
    check: check_language
}

fn check_language(text: &str) -> Result<(), InvalidText> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Ok(())
    } else {
        Err(InvalidText("must be two lower-case letters such as de (ISO 639-1)".into()))
    }
}

fn check_email(text: &str) -> Result<(), InvalidText> {
    check(
        text,
        254,
        |c| c.is_ascii_graphic() && !"<>\"(),;:[]\\".contains(c),
        "ASCII letters, digits and the punctuation that is common in e-mail addresses",
    )?;
    let well_formed = text.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty()
            && local.len() <= 64
            && !host.contains('@')
            && host.split('.').count() >= 2
            && host
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
    });
    if well_formed {
        Ok(())
    } else {
        Err(InvalidText("must be an e-mail address such as ada@example.com".into()))
    }
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

    #[test]
    fn email_addresses_are_validated() {
        for good in ["a@b.co", "ada.lovelace+shop@sub.example.com", "x@xn--exmple-cua.de"] {
            assert!(good.parse::<EmailAddress>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ü@exämple.de",
            "ada",
            "ada@",
            "@example.com",
            "a@b",
            "a@b..c",
            "a@-b.c",
            "a b@c.de",
            "a@b.c\r\nBcc: x@y.z",
            "a@b@c.de",
            "<a@b.co>",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
    }
}
