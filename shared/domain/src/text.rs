//! Validated text: newtypes for strings of limited length and a limited set of characters.

/// A validation error, in words that can be shown to the client that sent the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub(crate) String);

/// Checks that a text has 1 to `max_length` characters and that `is_allowed` accepts each of them.
pub(crate) fn check(
    text: &str,
    max_length: usize,
    is_allowed: fn(char) -> bool,
    allowed: &str,
) -> Result<(), InvalidText> {
    let length = text.chars().count();
    if length == 0 || length > max_length {
        return Err(InvalidText(format!("must have 1 to {max_length} characters, has {length}")));
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(InvalidText(format!("may contain only {allowed}, contains {c:?}"))),
        None => Ok(()),
    }
}

/// Defines a string newtype whose every value has passed `check`, whether parsed, converted or deserialised.
/// `max_length` and `pattern` express the same constraints for JSON schemas; a pattern uses only syntax that
/// means the same in ECMA 262, Java, Python and Rust.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, max_length: $max_length:literal, pattern: $pattern:literal, check: $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String", extend("minLength" = 1, "maxLength" = $max_length, "pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// Returns the text as a string slice.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::text::InvalidText;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                let check: fn(&str) -> Result<(), $crate::text::InvalidText> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::InvalidText;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}
pub(crate) use text_type;

/// Implements `Display` and an unquoted `Debug` for a [`text_type!`] that contains neither personal data nor
/// secrets.
macro_rules! printable {
    ($($name:ident),+) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}
pub(crate) use printable;

/// Implements a `Debug` that hides the value of a [`text_type!`].
macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )+};
}
pub(crate) use redacted;
