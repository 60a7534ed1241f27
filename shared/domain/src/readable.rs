//! The rule for text that people read, such as names, addresses and product names.
//!
//! - It has a visible character. Spaces around it are removed.
//! - It has no control characters, line separators, characters that change the direction of text (the Trojan
//!   Source attack, <https://trojansource.codes>) and noncharacters (neither EventBridge nor XML takes U+FFFE).
//! - It has invisible characters (`Default_Ignorable_Code_Point`, UAX #44) only where they have an effect: joiners
//!   within words of scripts that need them and between emoji, variation selectors after a base, and the tags of
//!   the flags of England, Scotland and Wales.
//!
//! Private-use characters are allowed: some systems type them, such as the Apple logo (U+F8FF).

use crate::text::{InvalidText, check};

/// The characters of the Basic Multilingual Plane that no text may contain, for a class of a pattern. Patterns
/// omit other planes, for which ECMA 262, Java and Python have no common syntax.
macro_rules! excluded {
    () => {
        r"\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    };
}
/// The characters that are allowed but not visible, for a class of a pattern.
macro_rules! blank {
    () => {
        r" \u00a0\u1680\u180b-\u180f\u2000-\u200a\u200c\u200d\u202f\u205f\u2800\u3000\ufe00-\ufe0f"
    };
}

/// A pattern for text that people read, as far as a pattern can express the rule.
pub(crate) const READABLE_PATTERN: &str =
    concat!("^[^", excluded!(), "]*[^", excluded!(), blank!(), "][^", excluded!(), "]*$");
/// The same for text that may be empty or blank.
pub const OPTIONAL_TEXT_PATTERN: &str = concat!("^[^", excluded!(), "]*$");

/// Checks text that people read: at most `max_length` characters including spaces around it. Returns it without
/// these.
///
/// # Errors
/// Says which character is not allowed, or that none is visible.
pub fn check_readable(text: &str, max_length: usize) -> Result<&str, InvalidText> {
    check(text, max_length, |c| !is_excluded(c), "printable characters")?;
    if let Some(c) = find_stray(text) {
        return Err(InvalidText(format!("must not contain invisible characters, contains {c:?}")));
    }
    if text.chars().any(is_visible) {
        Ok(text.trim())
    } else {
        Err(InvalidText("must have a visible character".into()))
    }
}

/// Reads text that was accepted by an earlier rule, which excluded only control characters. Replaces the
/// characters that EventBridge does not take, so that an order with such a name can be published.
pub(crate) fn read_stored(text: String, max_length: usize) -> Result<String, InvalidText> {
    const NOT_PUBLISHABLE: [char; 2] = ['\u{fffe}', '\u{ffff}'];
    check(&text, max_length, |c| !c.is_control(), "printable characters")?;
    Ok(if text.contains(NOT_PUBLISHABLE) { text.replace(NOT_PUBLISHABLE, "\u{fffd}") } else { text })
}

/// Whether no text may contain the character: the set of `excluded!`.
fn is_excluded(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{200b}'
                | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
                | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{fffe}'
                | '\u{ffff}'
        )
}

/// Whether a character that is not excluded leaves a mark on paper.
fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(
            c,
            '\u{180b}'..='\u{180f}' | ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER | '\u{2800}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{16fe4}' | '\u{1d159}' | '\u{e0100}'..='\u{e01ef}'
        )
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const BLACK_FLAG: char = '\u{1f3f4}';
/// The tags that follow a black flag in the flags of England, Scotland and Wales (UTS #51, RGI emoji tag
/// sequences).
const FLAG_TAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// Returns the first invisible character that has no effect on the characters around it.
fn find_stray(text: &str) -> Option<char> {
    let mut rest = text;
    let mut previous = None;
    loop {
        let mut chars = rest.chars();
        let c = chars.next()?;
        rest = chars.as_str();
        let follows = |is_base: fn(char) -> bool| previous.is_some_and(is_base);
        let has_effect = match c {
            ZERO_WIDTH_NON_JOINER => follows(needs_joiners),
            ZERO_WIDTH_JOINER => {
                follows(needs_joiners)
                    || (follows(|c| is_emoji(c) || c == '\u{fe0f}') && chars.next().is_some_and(is_emoji))
            }
            '\u{180b}'..='\u{180f}' => {
                follows(|c| matches!(c, '\u{1807}'..='\u{180a}' | '\u{1810}'..='\u{18aa}'))
            }
            '\u{fe00}'..='\u{fe0f}' => follows(is_visible),
            '\u{e0100}'..='\u{e01ef}' => follows(is_ideograph),
            _ => !is_invisible(c),
        };
        if !has_effect {
            return Some(c);
        }
        if c == BLACK_FLAG {
            rest = FLAG_TAGS.iter().find_map(|tags| rest.strip_prefix(tags)).unwrap_or(rest);
        }
        previous = Some(c);
    }
}

/// Whether a character beyond the Basic Multilingual Plane is ignorable or a noncharacter.
fn is_invisible(c: char) -> bool {
    let is_noncharacter = u32::from(c) & 0xfffe == 0xfffe;
    is_noncharacter
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a script has words that need joiners: Arabic and its relatives, and those of Indic origin.
fn needs_joiners(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{109f}' | '\u{1780}'..='\u{180a}' | '\u{1810}'..='\u{18af}' | '\u{1900}'..='\u{1cff}'
            | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10a00}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}'
    )
}

/// Whether a character can be a part of an emoji sequence: the blocks with symbols and pictographs.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}
