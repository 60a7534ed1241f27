//! Keeps the values of requests and events out of logs and dead-letter messages.

/// Removes the values that a parser quotes in its error message, since a value that it could not parse may be
/// personal data. The names of fields and of the expected types stay.
pub fn redact_values(message: &str) -> String {
    /// The text in front of a value in backticks, in serde's messages.
    const VALUES: [&str; 6] =
        ["integer ", "floating point ", "boolean ", "character ", "unknown variant ", "unknown field "];
    let mut redacted = String::with_capacity(message.len());
    let mut characters = message.chars();
    while let Some(character) = characters.next() {
        let value = match character {
            '"' => true,
            '`' => VALUES.iter().any(|prefix| redacted.ends_with(prefix)),
            _ => false,
        };
        redacted.push(character);
        if value {
            redacted.push('…');
            while let Some(inside) = characters.next() {
                match inside {
                    '\\' => drop(characters.next()),
                    end if end == character => {
                        redacted.push(end);
                        break;
                    }
                    _ => {}
                }
            }
        }
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_redacted_and_the_rest_of_a_message_is_kept() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Colour {
            Red,
        }
        let redact = |error: serde_json::Error| redact_values(&error.to_string());
        let number = |json: &str| redact(serde_json::from_str::<Vec<u8>>(json).unwrap_err());
        let message = number(r#""x \" ada@example.com \\""#);
        assert!(
            !message.contains("ada") && message.starts_with("invalid type: string \"…\", expected"),
            "{message}"
        );
        assert!(number("491701234567").starts_with("invalid type: integer `…`, expected"));
        let message = redact(serde_json::from_str::<Colour>(r#""ada""#).unwrap_err());
        assert!(message.starts_with("unknown variant `…`, expected `red`"), "{message}");
        let _ = Colour::Red;
        assert_eq!(redact_values("missing field `sku`"), "missing field `sku`");
        assert_eq!(redact_values("truncated \"in the midd"), "truncated \"…");
    }
}
