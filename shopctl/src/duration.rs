//! Durations as command-line arguments and in output, and the current time.

use jiff::SignedDuration;

/// Parses a duration such as `90s`, `15m`, `2h` or `3d`.
///
/// # Errors
/// When the text has any other form.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is not a duration; write for example 90s, 15m, 2h or 3d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    Ok(SignedDuration::from_secs(i64::from(number) * seconds))
}

/// Formats a duration in its largest suitable unit: `90 s`, `15 min`, `2 h`, `3 d`.
pub fn format(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// The current time.
#[expect(clippy::disallowed_methods, reason = "command-line tools use the system clock")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("3d", 259_200), ("0s", 0)] {
            assert_eq!(parse(text).unwrap().as_secs(), seconds, "{text}");
        }
        for bad in ["", "s", "5", "-5m", "1.5h", "5 m", "5w", "99999999999d"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn durations_are_formatted_in_their_largest_unit() {
        for (seconds, text) in
            [(-4, "0 s"), (119, "119 s"), (600, "10 min"), (7_200, "2 h"), (260_000, "3 d")]
        {
            assert_eq!(format(SignedDuration::from_secs(seconds)), text);
        }
    }
}
