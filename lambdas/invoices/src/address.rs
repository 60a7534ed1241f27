//! Addresses as they are written in their country, and the names of countries. `data/countries.py` makes the
//! table from libaddressinput and CLDR.

use domain::Address;
use unicode_script::{Script, UnicodeScript};

use crate::language::Language;

static COUNTRIES: &str = include_str!("../data/countries.tsv");

/// A country of the table, whose columns `data/countries.py` describes.
struct Country {
    /// In the order of [`Language::ALL`].
    names: [&'static str; 4],
    format: &'static str,
    /// For addresses in Latin letters. Empty if it is the same.
    latin_format: &'static str,
}

/// The format for countries that the table does not have.
const DEFAULT_FORMAT: &str = "%N|%A|%C, %S %Z";

fn country(code: &str) -> Option<Country> {
    let row = COUNTRIES.lines().find_map(|row| row.strip_prefix(code)?.strip_prefix('\t'))?;
    let mut columns = row.split('\t');
    let names = [columns.next()?, columns.next()?, columns.next()?, columns.next()?];
    Some(Country { names, format: columns.next()?, latin_format: columns.next()? })
}

/// Returns the name of a country (ISO 3166-1 alpha-2) in `language`. `None` if the code is not assigned.
pub(crate) fn country_name(code: &str, language: Language) -> Option<&'static str> {
    let names = country(code)?.names;
    Language::ALL.into_iter().zip(names).find_map(|(other, name)| (other == language).then_some(name))
}

/// Returns the lines of an address in the format of its country, with the name of the country in `language`,
/// or its code if it has none. The country is the last line, or the first one where addresses begin with what
/// is largest. Every field is shown, whether or not the country uses it.
pub(crate) fn address_lines(address: &Address, language: Language) -> Vec<String> {
    let code = address.country.as_str();
    let format = country(code).map_or(DEFAULT_FORMAT, |country| {
        if is_latin(address) && !country.latin_format.is_empty() {
            country.latin_format
        } else {
            country.format
        }
    });
    let mut lines: Vec<String> = format.split('|').flat_map(|line| fill_in(line, address)).collect();
    let country = country_name(code, language).unwrap_or(code).to_owned();
    let begins_with_largest = !format.starts_with("%N");
    lines.insert(if begins_with_largest { 0 } else { lines.len() }, country);
    lines
}

fn is_latin(address: &Address) -> bool {
    let is_latin = |text: &str| {
        text.chars().all(|c| matches!(c.script(), Script::Latin | Script::Common | Script::Inherited))
    };
    is_latin(address.street.as_str()) && is_latin(address.city.as_str())
}

/// Replaces the fields in a line of a format. A line without any is left out, and so is a separator at its
/// start. Text before the first field belongs to that field, like FI- to postal codes, and is not repeated if
/// the customer wrote it.
fn fill_in(line: &str, address: &Address) -> Vec<String> {
    let mut filled = String::new();
    let mut fields = line.split('%');
    let mut before = fields.next().unwrap_or_default();
    let mut is_first = true;
    for field in fields {
        let (name, after) = field.split_at_checked(1).unwrap_or_default();
        let value = value(name, address, line == "%A");
        if !value.trim().is_empty() {
            let is_repeated = is_first && value.starts_with(before.trim_end_matches([' ', '-']));
            if (is_first || !filled.is_empty()) && !is_repeated {
                filled.push_str(before);
            }
            filled.push_str(&value);
        }
        (before, is_first) = (after, false);
    }
    filled.split('\n').filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// The value of a field, which is empty if the address does not have it. An addition is a line of its own
/// below the street, if the street is.
fn value(field: &str, address: &Address, is_own_line: bool) -> String {
    let text = match field {
        "N" => Some(address.recipient.as_str()),
        "Z" => address.postal_code.as_ref().map(domain::PostalCode::as_str),
        "C" => Some(address.city.as_str()),
        "S" => address.region.as_ref().map(domain::AddressLine::as_str),
        "A" => {
            let street = [Some(&address.street), address.addition.as_ref()];
            let separator = if is_own_line { "\n" } else { ", " };
            return street
                .into_iter()
                .flatten()
                .map(domain::AddressLine::as_str)
                .collect::<Vec<_>>()
                .join(separator);
        }
        _ => None,
    };
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The lines of an address, which has no region and addition unless they are given.
    fn lines(language: Language, fields: &Value) -> String {
        let mut address = json!({ "recipient": "Ada", "street": "Street 1", "city": "City" });
        address.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let lines = address_lines(&serde_json::from_value(address).unwrap(), language);
        lines.join(" / ")
    }

    #[test]
    fn addresses_follow_the_format_of_their_country() {
        use Language::{English, French, German, Japanese};
        for (language, fields, expected) in [
            (
                English,
                json!({ "country": "DE", "postal_code": "10115", "city": "Berlin", "addition": "Hof 2" }),
                "Ada / Street 1 / Hof 2 / 10115 Berlin / Germany",
            ),
            (
                German,
                json!({ "country": "GB", "postal_code": "SW1Y 4JH", "city": "London" }),
                "Ada / Street 1 / London / SW1Y 4JH / Vereinigtes Königreich",
            ),
            (
                French,
                json!({ "country": "US", "postal_code": "94107", "city": "San Francisco", "region": "CA" }),
                "Ada / Street 1 / San Francisco, CA 94107 / États-Unis",
            ),
            (
                Japanese,
                json!({ "country": "US", "postal_code": "94107", "city": "San Francisco" }),
                "Ada / Street 1 / San Francisco 94107 / アメリカ合衆国",
            ),
            (
                English,
                json!({ "country": "CA", "postal_code": "K1A 0B1", "city": "Ottawa", "region": "ON" }),
                "Ada / Street 1 / Ottawa ON K1A 0B1 / Canada",
            ),
            (
                English,
                json!({ "country": "FI", "postal_code": "00100", "city": "Helsinki" }),
                "Ada / Street 1 / FI-00100 Helsinki / Finland",
            ),
            (
                English,
                json!({ "country": "FI", "postal_code": "FI-00100", "city": "Helsinki" }),
                "Ada / Street 1 / FI-00100 Helsinki / Finland",
            ),
            (English, json!({ "country": "FI", "city": "Helsinki" }), "Ada / Street 1 / Helsinki / Finland"),
            (
                English,
                json!({ "country": "BR", "postal_code": "01310-100", "city": "São Paulo", "region": "SP" }),
                "Ada / Street 1 / São Paulo-SP / 01310-100 / Brazil",
            ),
            (
                English,
                json!({ "country": "HU", "postal_code": "1051", "city": "Budapest" }),
                "Ada / Budapest / Street 1 / 1051 / Hungary",
            ),
            (
                English,
                json!({ "country": "IN", "postal_code": "600001", "city": "Chennai", "region": "Tamil Nadu" }),
                "Ada / Street 1 / Chennai 600001 / Tamil Nadu / India",
            ),
            (
                English,
                json!({ "country": "SG", "postal_code": "018956", "city": "Singapore" }),
                "Ada / Street 1 / Singapore 018956 / Singapore",
            ),
            (
                Japanese,
                json!({ "recipient": "山田 太郎", "country": "JP", "postal_code": "100-0005", "region": "東京都",
                     "city": "千代田区", "street": "丸の内1-1-1", "addition": "丸の内ビル" }),
                "日本 / 〒100-0005 / 東京都千代田区 / 丸の内1-1-1 / 丸の内ビル / 山田 太郎",
            ),
            (
                German,
                json!({ "country": "JP", "postal_code": "100-0005", "region": "Tokyo", "city": "Chiyoda" }),
                "Ada / Street 1 / Chiyoda, Tokyo / 100-0005 / Japan",
            ),
            (
                English,
                json!({ "country": "KR", "postal_code": "04524", "city": "서울", "street": "세종대로 1" }),
                "South Korea / 서울 / 세종대로 1 / Ada / 04524",
            ),
            // What the country does not use is shown all the same.
            (
                English,
                json!({ "country": "DE", "postal_code": "80331", "city": "München", "region": "Bayern" }),
                "Ada / Street 1 / 80331 München, Bayern / Germany",
            ),
            (
                English,
                json!({ "country": "HK", "postal_code": "999077", "city": "Central" }),
                "Ada / Street 1 / Central 999077 / Hong Kong SAR China",
            ),
            (
                English,
                json!({ "country": "QQ", "postal_code": "1", "region": "R" }),
                "Ada / Street 1 / City, R 1 / QQ",
            ),
        ] {
            assert_eq!(lines(language, &fields), expected, "{fields}");
        }
    }

    #[test]
    fn every_country_shows_every_field_once() {
        let mut count = 0;
        for row in COUNTRIES.lines() {
            let (code, rest) = row.split_once('\t').unwrap();
            assert!(rest.split('\t').count() == 6 && country(code).is_some(), "{row}");
            for street in ["Street", "通り"] {
                let fields = json!({ "country": code, "recipient": "Name", "street": street, "addition": "Floor",
                    "postal_code": "12345", "city": "City", "region": "Region" });
                let lines = lines(Language::English, &fields);
                for part in ["Name", street, "Floor", "12345", "City", "Region"] {
                    assert_eq!(lines.replace("Vatican City", "").matches(part).count(), 1, "{lines}");
                }
                assert!(lines.contains(country_name(code, Language::English).unwrap()), "{lines}");
            }
            count += 1;
        }
        assert!(count > 240, "{count}");
    }

    #[test]
    fn the_names_of_countries_are_translated() {
        assert_eq!(
            Language::ALL.map(|language| country_name("JP", language).unwrap()),
            ["Japan", "Japan", "Japon", "日本"]
        );
        assert_eq!(country_name("ZZ", Language::English), None);
        assert_eq!(country_name("", Language::English), None);
        assert_eq!(country_name("10115 Berlin", Language::English), None);
    }
}
