//! Validated text: newtypes for strings of limited length and a limited set of characters.

/// A validation error, in words that can be shown to the client that sent the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub(crate) String);

/// Checks that a text has 1 to `max_length` characters and that `is_allowed` accepts each of them. Returns the
/// text.
pub(crate) fn check<'a>(
    text: &'a str,
    max_length: usize,
    is_allowed: fn(char) -> bool,
    allowed: &str,
) -> Result<&'a str, InvalidText> {
    let length = text.chars().count();
    if length == 0 || length > max_length {
        return Err(InvalidText(format!("must have 1 to {max_length} characters, has {length}")));
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(InvalidText(format!("may contain only {allowed}, contains {c:?}"))),
        None => Ok(text),
    }
}

/// Defines a string newtype whose values have passed `check`, which returns the text or a part of it.
/// `max_length` and `pattern` express the same constraints for JSON schemas; a pattern uses only syntax that
/// means the same in ECMA 262, Java, Python and Rust, and accepts everything that `check` accepts.
///
/// Tables and queues have text from before a rule was introduced. With `stored`, deserialisation applies only
/// that weaker rule, so that such text stays readable; `FromStr` and `TryFrom<String>` apply `check`. A request
/// type must therefore deserialise with `platform::http::input::TextInput`.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, max_length: $max_length:literal, pattern: $pattern:expr, check: $check:expr $(, stored: $stored:expr)?) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
        #[serde(into = "String")]
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
                let check: fn(&str) -> Result<&str, $crate::text::InvalidText> = $check;
                let checked = check(&text)?;
                Ok(Self(if checked.len() == text.len() { text } else { checked.to_owned() }))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::InvalidText;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $crate::text::text_type!(@read $name, text $(, $stored)?).map_err(serde::de::Error::custom)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
    (@read $name:ident, $text:ident) => { $name::try_from($text) };
    (@read $name:ident, $text:ident, $stored:expr) => {{
        let read: fn(String) -> Result<String, $crate::text::InvalidText> = $stored;
        read($text).map($name)
    }};
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
