//! Postal addresses. `Debug` redacts their contents: see [`crate::person`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::person::PersonName;
use crate::readable::{READABLE_PATTERN, check_readable, read_stored};
use crate::text::{InvalidText, check, redacted, text_type};

text_type! {
    /// A line of an address: a street and house number, a floor, a city or a region. 1 to 100 characters, with
    /// a visible one and without control and invisible ones.
    AddressLine,
    max_length: 100,
    pattern: READABLE_PATTERN,
    check: |text| check_readable(text, 100),
    stored: |text| read_stored(text, 100)
}
text_type! {
    /// A postal code in the format of its country. 1 to 12 letters, digits, spaces and hyphens, with at least one
    /// letter or digit.
    PostalCode,
    max_length: 12,
    pattern: "^[A-Za-z0-9 -]*[A-Za-z0-9][A-Za-z0-9 -]*$",
    check: check_postal_code,
    stored: |text| read_stored(text, 12)
}
text_type! {
    /// A country code: two capital letters (ISO 3166-1 alpha-2). Only the format is checked: the list of
    /// countries changes more often than this code is deployed.
    CountryCode,
    max_length: 2,
    pattern: r"^[A-Z]{2}$",
    check: check_country
}

redacted!(AddressLine, PostalCode, CountryCode);

fn check_postal_code(text: &str) -> Result<&str, InvalidText> {
    check(text, 12, |c| c.is_ascii_alphanumeric() || c == ' ' || c == '-', "letters, digits, spaces and -")?;
    if text.contains(|c: char| c.is_ascii_alphanumeric()) {
        Ok(text.trim())
    } else {
        Err(InvalidText("must have a letter or a digit: omit it where there are no postal codes".into()))
    }
}

fn check_country(text: &str) -> Result<&str, InvalidText> {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text)
    } else {
        Err(InvalidText("must be two capital letters such as DE (ISO 3166-1)".into()))
    }
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The name of the recipient.
    pub recipient: PersonName,
    /// The street and house number.
    pub street: AddressLine,
    /// Further address information, such as a floor, company or building.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addition: Option<AddressLine>,
    /// The postal code, in countries that use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<PostalCode>,
    /// The city or town.
    pub city: AddressLine,
    /// The state or province, in countries whose addresses include one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<AddressLine>,
    /// The country (ISO 3166-1 alpha-2).
    pub country: CountryCode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn country_and_postal_codes_are_validated() {
        assert!("DE".parse::<CountryCode>().is_ok());
        for bad in ["", "de", "DEU", "D", "D1", "ÄÖ"] {
            assert!(bad.parse::<CountryCode>().is_err(), "{bad}");
        }
        for good in ["10115", "SW1A 1AA", "K1A-0B1"] {
            assert!(good.parse::<PostalCode>().is_ok(), "{good}");
        }
        for bad in ["10115\n", " ", "-", "- -"] {
            assert!(bad.parse::<PostalCode>().is_err(), "{bad:?}");
        }
        assert_eq!(" 10115 ".parse::<PostalCode>().unwrap().as_str(), "10115");
    }

    #[test]
    fn debug_redacts_the_address() {
        let address: Address = serde_json::from_str(
            r#"{"recipient":"Ada","street":"1 High St","city":"London","country":"GB"}"#,
        )
        .unwrap();
        let shown = format!("{address:?}");
        for part in ["Ada", "High", "London", "GB"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}
