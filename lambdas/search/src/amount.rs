//! Amounts of money: how the total of an order is indexed, and which words of a query write it.
//!
//! Mails and reports print `12.50 EUR`, exports `12.50`, and invoices, by language, `€12.50`, `EUR 12.50`,
//! `12,50 €`, `1.234,50 €`, `1 234,50 €`, `￥1,234`. A query does not say its language, so a number that
//! can be read in two ways (`1.234`) is looked up in both.

use std::ops::Range;

use domain::Money;
use domain::money::Currency;

/// The maximum number of digits of a number that is read as an amount: more than any total has.
const MAX_DIGITS: usize = 12;

/// The words of a query that write an amount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    /// The positions of the words.
    pub(crate) words: Range<usize>,
    /// The starts of the indexed words of the totals that it may mean, if they differ from the query's.
    pub(crate) forms: Vec<String>,
}

/// Returns the words that a total is found by: `12.50eur`.
pub(crate) fn total_words(total: Money) -> impl Iterator<Item = String> {
    let shown = total.to_string().to_lowercase();
    // A single digit does not match by prefix.
    let digit = shown.split(' ').next().filter(|number| number.len() == 1).map(str::to_owned);
    [shown.replace(' ', "")].into_iter().chain(digit)
}

/// Finds the amounts in the words of a query.
pub(crate) fn find_all(words: &[String]) -> Vec<Amount> {
    let mut found = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let start = words.len().saturating_sub(rest.len());
        let (length, forms) = read(rest).unwrap_or((1, Vec::new()));
        rest = rest.get(length..).unwrap_or_default();
        if !forms.is_empty() {
            found.push(Amount { words: start..start.saturating_add(length), forms });
        }
    }
    found
}

/// The currency as it is written beside a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Currency(Currency),
    /// A sign that is not printed for a currency.
    Sign,
}

impl Mark {
    fn parse(word: &str) -> Option<Self> {
        let code = match word {
            "€" => "EUR".to_owned(),
            "£" => "GBP".to_owned(),
            "¥" => "JPY".to_owned(),
            _ if word.len() == 3 => word.to_ascii_uppercase(),
            _ => String::new(),
        };
        let is_sign = |letter| matches!(letter, '¢'..='¥' | '฿' | '៛' | '\u{20a0}'..='\u{20cf}');
        Currency::try_from(code).ok().map(Self::Currency).or_else(|| {
            let mut letters = word.chars();
            (letters.next().is_some_and(is_sign) && letters.next().is_none()).then_some(Self::Sign)
        })
    }
}

/// A word with a number, and a currency before or after it.
struct Token<'a> {
    before: Option<Mark>,
    number: &'a str,
    after: Option<Mark>,
}

impl<'a> Token<'a> {
    fn parse(word: &'a str) -> Option<Self> {
        let is_digit = |letter: char| letter.is_ascii_digit();
        let (before, rest) = word.split_at(word.find(is_digit)?);
        let (number, after) = rest.split_at(rest.rfind(is_digit)?.saturating_add(1));
        let mark = |text: &str| if text.is_empty() { Some(None) } else { Mark::parse(text).map(Some) };
        let is_number = number.chars().all(|letter| is_digit(letter) || is_point(letter));
        is_number.then_some(Self { before: mark(before)?, number, after: mark(after)? })
    }
}

/// Returns whether a character separates the groups of a number. Commas between digits are points already.
fn is_point(letter: char) -> bool {
    matches!(letter, '.' | '\'')
}

/// Reads an amount at the start of the words. Returns the number of its words, and its forms.
fn read(words: &[String]) -> Option<(usize, Vec<String>)> {
    let leading = words.first().and_then(|word| Mark::parse(word));
    let mut length = usize::from(leading.is_some());
    let token = Token::parse(words.get(length)?)?;
    let (mut number, mut mark) = (token.number.to_owned(), leading.or(token.before).or(token.after));
    let mut is_last = token.after.is_some();
    length = length.saturating_add(1);
    // `1 234,50`: groups that are separated by spaces.
    while let Some(next) = words.get(length).and_then(|word| Token::parse(word)) {
        let (known, more) = (groups(&number), groups(next.number));
        let is_open = known.first().is_some_and(|group| group.len() <= 3) && is_grouped(&known);
        let has_group = more.first().is_some_and(|group| group.len() == 3);
        if is_last || next.before.is_some() || !is_open || !has_group {
            break;
        }
        number = format!("{number}.{}", next.number);
        (mark, is_last) = (mark.or(next.after), next.after.is_some());
        length = length.saturating_add(1);
    }
    let following = words.get(length).and_then(|word| Mark::parse(word));
    if following.is_some() && (mark.is_none() || mark == following) {
        mark = following;
        length = length.saturating_add(1);
    }
    let mut forms = forms(&number, mark);
    forms.retain(|form| length > 1 || words.first() != Some(form));
    Some((length, forms))
}

fn groups(number: &str) -> Vec<&str> {
    number.split(is_point).collect()
}

/// Returns whether these are groups of thousands, or digits without groups.
fn is_grouped(groups: &[&str]) -> bool {
    let Some((first, rest)) = groups.split_first() else { return false };
    rest.is_empty() || (first.len() <= 3 && rest.iter().all(|group| group.len() == 3))
}

/// Returns the starts of the indexed words of the totals that a number may mean.
fn forms(number: &str, mark: Option<Mark>) -> Vec<String> {
    let groups = groups(number);
    let Some((last, head)) = groups.split_last() else { return Vec::new() };
    if groups.iter().any(|group| group.is_empty()) || groups.concat().len() > MAX_DIGITS {
        return Vec::new();
    }
    let decimal = (is_grouped(head) && last.len() <= 3).then(|| (head.concat(), *last));
    let whole = is_grouped(&groups).then(|| (groups.concat(), ""));
    let mut numbers = decimal.into_iter().chain(whole);
    let Some(Mark::Currency(currency)) = mark else {
        let plain = |(units, fraction): (String, &str)| {
            if fraction.is_empty() { units } else { format!("{units}.{fraction}") }
        };
        return numbers.map(plain).collect();
    };
    let (places, code) = (currency.decimal_places(), currency.code().to_lowercase());
    // All decimal places are printed, so a fraction that fits is one.
    let fitting = numbers.find(|(_, fraction)| fraction.len() <= places);
    let format = |(units, fraction): (String, &str)| match places {
        0 => format!("{units}{code}"),
        _ => format!("{units}.{fraction:0<places$}{code}"),
    };
    fitting.map(format).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    #[test]
    fn printed_amounts_are_read() {
        for (text, expected) in [
            ("12.50 EUR", vec!["12.50eur"]),
            ("EUR 12.50", vec!["12.50eur"]),
            ("EUR\u{a0}12.50", vec!["12.50eur"]),
            ("€12.50", vec!["12.50eur"]),
            ("12,50\u{a0}€", vec!["12.50eur"]),
            ("12.5eur", vec!["12.50eur"]),
            ("€ 12", vec!["12.00eur"]),
            ("1.234,50 €", vec!["1234.50eur"]),
            ("1\u{202f}234,50\u{a0}€", vec!["1234.50eur"]),
            ("1 234,50", vec!["1234.50"]),
            ("1’234.50 CHF", vec!["1234.50chf"]),
            ("1.234 €", vec!["1234.00eur"]),
            ("￥1,234", vec!["1234jpy"]),
            ("1 234 567 JPY", vec!["1234567jpy"]),
            ("KWD 1,234.567", vec!["1234.567kwd"]),
            ("1.250 KWD", vec!["1.250kwd"]),
            ("1,234", vec!["1234"]),
            ("₹12.50", vec!["12.50"]),
            ("１２．５０ ＥＵＲ", vec!["12.50eur"]),
        ] {
            let expected = Amount {
                words: 0..words(text).len(),
                forms: expected.into_iter().map(str::to_owned).collect(),
            };
            assert_eq!(find_all(&words(text)), [expected], "{text}");
        }
        for text in ["12.50", "12", "EUR", "tea 001", "tea-001", "12.50 JPY", "1.2.3", "01890a5d-ac96", ""] {
            assert_eq!(find_all(&words(text)), [], "{text}");
        }
        let amounts = find_all(&words("ada 12.50 EUR tea €5.00"));
        assert_eq!(amounts.iter().map(|amount| amount.words.clone()).collect::<Vec<_>>(), [1..3, 4..5]);
    }
}
