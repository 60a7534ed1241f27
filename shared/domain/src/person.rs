//! Who ordered. These types never print what they hold: `Debug` redacts, and there is no `Display`, so
//! that a log line cannot carry personal data by accident. Serialising them is a deliberate act.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::CustomerId;
use crate::text::{InvalidText, check, printable, text_type};

text_type! {
    /// An e-mail address: 3 to 254 characters with one `@` and a dot behind it (RFC 5321 §4.5.3.1.3 has the
    /// length). Whether somebody reads it, only a mail can tell.
    EmailAddress,
    most: 254,
    pattern: r"^[!#-'*+.-9=?A-Z^-~-]{1,64}@[!#-'*+/-9=?A-Z^-~]([!#-'*+/-9=?A-Z^-~-]*[!#-'*+/-9=?A-Z^-~])?(\.[!#-'*+/-9=?A-Z^-~]([!#-'*+/-9=?A-Z^-~-]*[!#-'*+/-9=?A-Z^-~])?)+$",
    check: check_email
}
text_type! {
    /// A person's name, to greet them with. 1 to 100 characters, none of them a control character.
    PersonName,
    most: 100,
    pattern: r"^[^\u0000-\u001f\u007f-\u009f]+$",
    check: |text| check(text, 100, |c| !c.is_control(), "characters that can be printed")
}
text_type! {
    /// A language: the two small letters of ISO 639-1. Whether there is one of that name is not looked up, and the shop
    /// need not know it.
    Language,
    most: 2,
    pattern: r"^[a-z]{2}$",
    check: check_language
}

fn check_language(text: &str) -> Result<(), InvalidText> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Ok(())
    } else {
        Err(InvalidText("must be two small letters such as de (ISO 639-1)".into()))
    }
}

fn check_email(text: &str) -> Result<(), InvalidText> {
    check(
        text,
        254,
        |c| c.is_ascii_graphic() && !"<>\"(),;:[]\\".contains(c),
        "ASCII letters, digits and the usual signs of an address",
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

macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )+};
}
pub(crate) use redacted;
redacted!(EmailAddress, PersonName);
printable!(Language);

/// The id of the customer that looks whether the shop works. Their orders go the way of all others and are never paid;
/// whoever counts what the shop sells leaves them out.
pub const SYNTHETIC_CUSTOMER_ID: &str = "synthetic-customer";

/// The customer of an order, as known when it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Customer {
    /// Who it is.
    pub id: CustomerId,
    /// What they are called.
    pub name: PersonName,
    /// Where they read their mail.
    pub email: EmailAddress,
    /// Where the invoice is made out to, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The language that they read, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_personal() {
        let customer: Customer =
            serde_json::from_str(r#"{"id":"cust-1","name":"Ada Lovelace","email":"ada@example.com"}"#)
                .unwrap();
        let shown = format!("{customer:?} {:?}", Some(&customer.email));
        assert!(shown.contains("cust-1") && shown.contains("redacted"));
        assert!(!shown.contains("Ada") && !shown.contains("example.com"), "{shown}");
    }

    #[test]
    fn languages() {
        assert!("de".parse::<Language>().is_ok());
        for bad in ["", "d", "DE", "deu", "d1", "ä"] {
            assert!(bad.parse::<Language>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
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
