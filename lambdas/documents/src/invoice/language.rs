//! How each language says it: words, dates, sums of money and rates.
//!
//! Four languages, and English for all others. What is written here is what CLDR 45 has for them
//! (<https://cldr.unicode.org>), which a table in the tests holds; `icu` would bring megabytes of data for the same. Only
//! the signs that mean one currency to everybody are used: `$` is the dollar of twenty countries, and is written `USD`.

use domain::{Money, TaxRate};
use jiff::civil::Date;

/// A language that invoices are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Japanese.
    Japanese,
}

/// The words of an invoice.
#[derive(Debug, PartialEq, Eq)]
pub struct Labels {
    /// What the document is.
    pub invoice: &'static str,
    /// Above the buyer's address.
    pub buyer: &'static str,
    /// Before the seller's tax id.
    pub tax_id: &'static str,
    /// Before the number.
    pub number: &'static str,
    /// Before the day of issue.
    pub issued: &'static str,
    /// Before the day of payment and supply.
    pub paid: &'static str,
    /// Before the order's id.
    pub order: &'static str,
    /// Before the day of the order.
    pub ordered: &'static str,
    /// Before the customer's id.

    /// Columns of the lines: SKU, name, quantity, price of one, rate, price of all.
    pub columns: [&'static str; 6],
    /// Columns of the taxes: rate, net, tax, gross.
    pub tax_columns: [&'static str; 4],
    /// Before the total.
    pub total: &'static str,
    /// That prices have the tax in them.
    pub tax_included_note: &'static str,
    /// Why some characters look as they do.
    pub replacement_note: &'static str,
    /// What the table of the lines is.
    pub lines_caption: &'static str,
    /// What the table of the taxes is.
    pub taxes_caption: &'static str,
}

static ENGLISH: Labels = Labels {
    invoice: "Invoice",
    buyer: "Bill to",
    tax_id: "Tax ID",
    number: "Invoice number",
    issued: "Invoice date",
    paid: "Date of payment and supply",
    order: "Order",
    ordered: "Order date",
    columns: ["Item no.", "Description", "Quantity", "Unit price", "Tax", "Amount"],
    tax_columns: ["Tax rate", "Net", "Tax", "Gross"],
    total: "Total including tax",
    tax_included_note: "All prices include tax.",
    replacement_note: "The sign \u{fffd} stands for a character that this document's fonts do not have.",
    lines_caption: "What was bought",
    taxes_caption: "Tax by rate",
};

static GERMAN: Labels = Labels {
    invoice: "Rechnung",
    buyer: "Rechnungsempfänger",
    tax_id: "Steuernummer / USt-IdNr.",
    number: "Rechnungsnummer",
    issued: "Rechnungsdatum",
    paid: "Zahlungs- und Leistungsdatum",
    order: "Bestellung",
    ordered: "Bestelldatum",
    columns: ["Artikelnr.", "Bezeichnung", "Menge", "Einzelpreis", "MwSt.", "Betrag"],
    tax_columns: ["Steuersatz", "Netto", "MwSt.", "Brutto"],
    total: "Gesamtbetrag inkl. MwSt.",
    tax_included_note: "Alle Preise enthalten die Mehrwertsteuer.",
    replacement_note: "Das Zeichen \u{fffd} steht für ein Zeichen, das die Schriften dieses Dokuments nicht haben.",
    lines_caption: "Was gekauft wurde",
    taxes_caption: "Mehrwertsteuer nach Steuersatz",
};

static FRENCH: Labels = Labels {
    invoice: "Facture",
    buyer: "Facturé à",
    tax_id: "Numéro d’identification fiscale",
    number: "Numéro de facture",
    issued: "Date de facture",
    paid: "Date de paiement et de livraison",
    order: "Commande",
    ordered: "Date de commande",
    columns: ["Référence", "Désignation", "Quantité", "Prix unitaire", "TVA", "Montant"],
    tax_columns: ["Taux de TVA", "Montant HT", "TVA", "Montant TTC"],
    total: "Total TTC",
    tax_included_note: "Tous les prix s’entendent TTC.",
    replacement_note: "Le signe \u{fffd} remplace un caractère absent des polices de ce document.",
    lines_caption: "Articles achetés",
    taxes_caption: "TVA par taux",
};

static JAPANESE: Labels = Labels {
    invoice: "請求書",
    buyer: "請求先",
    tax_id: "登録番号",
    number: "請求書番号",
    issued: "発行日",
    paid: "支払日・取引日",
    order: "注文番号",
    ordered: "注文日",
    columns: ["商品番号", "品名", "数量", "単価", "税率", "金額"],
    tax_columns: ["税率", "税抜金額", "消費税額", "税込金額"],
    total: "合計(税込)",
    tax_included_note: "表示価格はすべて税込です。",
    replacement_note: "\u{fffd}は、この文書のフォントに含まれない文字を表します。",
    lines_caption: "ご購入内容",
    taxes_caption: "税率別内訳",
};

const NO_BREAK_SPACE: &str = "\u{a0}";
/// What French puts between groups of digits, and before a percent sign.
const NARROW_NO_BREAK_SPACE: &str = "\u{202f}";

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Japanese];

    /// The one that a customer reads, or English.
    pub fn from_preference(preference: Option<&domain::Language>) -> Self {
        let is_preferred = |language: &Self| preference.is_some_and(|code| code.as_str() == language.code());
        Self::ALL.into_iter().find(is_preferred).unwrap_or(Self::English)
    }

    /// Its code (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Japanese => "ja",
        }
    }

    /// Its words.
    pub fn labels(self) -> &'static Labels {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Japanese => &JAPANESE,
        }
    }

    /// That it was paid, when, and where the provider has it.
    pub fn payment_note(self, on: Date, payment: &str) -> String {
        let date = self.format_date(on);
        match self {
            Self::English => format!("Paid in full on {date}. Payment reference: {payment}"),
            Self::German => format!("Vollständig bezahlt am {date}. Zahlungsreferenz: {payment}"),
            Self::French => {
                format!("Réglée intégralement le {date}. Référence de paiement{NO_BREAK_SPACE}: {payment}")
            }
            Self::Japanese => format!("{date}に全額お支払いいただきました。支払番号: {payment}"),
        }
    }

    /// Which page of how many.
    pub fn page_label(self, page: usize, count: usize) -> String {
        match self {
            Self::English => format!("Page {page} of {count}"),
            Self::German => format!("Seite {page} von {count}"),
            Self::French => format!("Page {page} sur {count}"),
            Self::Japanese => format!("{page} / {count} ページ"),
        }
    }

    /// A day. English writes the month as a word, so that nobody takes it for the day.
    pub fn format_date(self, date: Date) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match self {
            Self::English => date.strftime("%-d %B %Y").to_string(),
            Self::German => format!("{day:02}.{month:02}.{year}"),
            Self::French => format!("{day:02}/{month:02}/{year}"),
            Self::Japanese => format!("{year}年{month}月{day}日"),
        }
    }

    /// A sum of money.
    pub fn format_money(self, money: Money) -> String {
        self.format_minor_units(money.minor_units(), money)
    }

    /// As many minor units of the currency of `like`.
    pub fn format_minor_units(self, minor_units: u32, currency_of: Money) -> String {
        let number = self.format_decimal(minor_units, currency_of.currency.decimal_places());
        let code = currency_of.currency.code();
        let sign = match (code, self) {
            ("EUR", _) => Some("€"),
            ("GBP", Self::French) => None,
            ("GBP", _) => Some("£"),
            ("JPY", Self::English | Self::German) => Some("¥"),
            ("JPY", Self::Japanese) => Some("￥"),
            _ => None,
        };
        match (self, sign) {
            (Self::English | Self::Japanese, Some(sign)) => format!("{sign}{number}"),
            (Self::English | Self::Japanese, None) => format!("{code}{NO_BREAK_SPACE}{number}"),
            (Self::German | Self::French, sign) => {
                format!("{number}{NO_BREAK_SPACE}{}", sign.unwrap_or(code))
            }
        }
    }

    /// A rate, without zeros at its end.
    pub fn format_rate(self, rate: TaxRate) -> String {
        let number = self.format_decimal(rate.basis_points().into(), 2);
        let number = number.trim_end_matches('0').trim_end_matches(self.decimal_separator());
        let space = match self {
            Self::English | Self::Japanese => "",
            Self::German => NO_BREAK_SPACE,
            Self::French => NARROW_NO_BREAK_SPACE,
        };
        format!("{number}{space}%")
    }

    /// A whole number.
    pub fn format_count(self, number: u32) -> String {
        self.format_decimal(number, 0)
    }

    fn decimal_separator(self) -> char {
        match self {
            Self::English | Self::Japanese => '.',
            Self::German | Self::French => ',',
        }
    }

    /// `units` with so many digits behind the point, and in groups of three before it.
    fn format_decimal(self, units: u32, digits: usize) -> String {
        let group_separator = match self {
            Self::English | Self::Japanese => ",",
            Self::German => ".",
            Self::French => NARROW_NO_BREAK_SPACE,
        };
        // At least one digit stands before the point.
        let text = format!("{units:0width$}", width = digits.saturating_add(1));
        let (whole, fraction) = text.split_at(text.len().saturating_sub(digits));
        let mut number = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && whole.len().saturating_sub(index).is_multiple_of(3) {
                number.push_str(group_separator);
            }
            number.push(digit);
        }
        if digits > 0 {
            number.push(self.decimal_separator());
            number.push_str(fraction);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn money(amount: u32, currency: &str) -> Money {
        serde_json::from_value(json!({ "amount": amount, "currency": currency })).unwrap()
    }

    #[test]
    fn amounts_follow_cldr() {
        let formatted =
            |amount, currency| Language::ALL.map(|language| language.format_money(money(amount, currency)));
        assert_eq!(
            formatted(123_456, "EUR"),
            ["€1,234.56", "1.234,56\u{a0}€", "1\u{202f}234,56\u{a0}€", "€1,234.56"]
        );
        assert_eq!(formatted(5, "EUR"), ["€0.05", "0,05\u{a0}€", "0,05\u{a0}€", "€0.05"]);
        assert_eq!(formatted(1_234_567, "JPY")[0], "¥1,234,567");
        assert_eq!(formatted(1_234_567, "JPY")[3], "￥1,234,567");
        assert_eq!(formatted(1_234_567, "JPY")[2], "1\u{202f}234\u{202f}567\u{a0}JPY");
        assert_eq!(formatted(99_999_999, "KWD")[1], "99.999,999\u{a0}KWD");
        assert_eq!(formatted(99_999_999, "KWD")[0], "KWD\u{a0}99,999.999");
        assert_eq!(formatted(0, "KWD")[0], "KWD\u{a0}0.000");
        assert_eq!(formatted(1250, "USD")[0], "USD\u{a0}12.50");
        assert_eq!(formatted(100, "JPY")[0], "¥100");
    }

    #[test]
    fn dates_and_rates_follow_cldr() {
        let day = date(2026, 3, 4);
        assert_eq!(
            Language::ALL.map(|language| language.format_date(day)),
            ["4 March 2026", "04.03.2026", "04/03/2026", "2026年3月4日"]
        );
        let rates = |basis_points: i64| {
            Language::ALL.map(|t| t.format_rate(TaxRate::try_from(basis_points).unwrap()))
        };
        assert_eq!(rates(1900), ["19%", "19\u{a0}%", "19\u{202f}%", "19%"]);
        assert_eq!(rates(550), ["5.5%", "5,5\u{a0}%", "5,5\u{202f}%", "5.5%"]);
        assert_eq!(rates(25), ["0.25%", "0,25\u{a0}%", "0,25\u{202f}%", "0.25%"]);
        assert_eq!(rates(0)[0], "0%");
        assert_eq!(rates(10_000)[0], "100%");
    }

    #[test]
    fn other_languages_fall_back_to_english() {
        let language = |code: &str| Language::from_preference(Some(&code.parse().unwrap()));
        assert_eq!(
            (language("de"), language("ja"), language("xx")),
            (Language::German, Language::Japanese, Language::English)
        );
        assert_eq!(Language::from_preference(None), Language::English);
    }
}
