//! Text with a rule: what makes a bounded, checked string into a type.

/// Says what is wrong with a text, in words that can be shown to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub(crate) String);

/// Checks the length in characters, and that every character is one that `allowed` takes.
pub(crate) fn check(
    text: &str,
    most: usize,
    allowed: fn(char) -> bool,
    allowed_words: &str,
) -> Result<(), InvalidText> {
    let length = text.chars().count();
    if length == 0 || length > most {
        return Err(InvalidText(format!("must have 1 to {most} characters, has {length}")));
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(InvalidText(format!("may have {allowed_words} only, has {c:?}"))),
        None => Ok(()),
    }
}

/// A string newtype that can only hold what its rule allows, wherever it comes from. `most` and `pattern` say the same
/// as `check`, for schemas; a pattern keeps to what ECMA 262, Java, Python and Rust read alike.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident, most: $most:literal, pattern: $pattern:literal, check: $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String", extend("minLength" = 1, "maxLength" = $most, "pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// The text itself.
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

/// Adds `Display` and a plain `Debug` to a [`text_type!`] that names nobody and keeps no secret.
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
