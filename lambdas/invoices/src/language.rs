//! Localization of invoices: labels, dates, amounts and rates.
//!
//! There are four languages, and English for all others. The formats are those of CLDR 45
//! (<https://cldr.unicode.org>), as the tests check; `icu` would add megabytes of data for the same result.
//! Only currency symbols that are unambiguous are used: `$` is the dollar of twenty countries, so the code
//! `USD` is used instead.

use domain::{Money, TaxRate};
use jiff::civil::Date;

/// A language of invoices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    English,
    German,
    French,
    Japanese,
}

/// The labels of an invoice.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Labels {
    /// The title of the document.
    pub invoice: &'static str,
    /// Above the buyer's address.
    pub buyer: &'static str,
    pub tax_id: &'static str,
    pub number: &'static str,
    /// The date of issue.
    pub issued: &'static str,
    /// The date of payment and supply.
    pub paid: &'static str,
    /// The order id.
    pub order: &'static str,
    /// The order date.
    pub ordered: &'static str,

    /// The columns of the lines: SKU, name, quantity, unit price, tax rate, price.
    pub columns: [&'static str; 6],
    /// The columns of the taxes: rate, net, tax, gross.
    pub tax_columns: [&'static str; 4],
    pub total: &'static str,
    /// The note that prices include tax.
    pub tax_included_note: &'static str,
    /// The note about characters that the fonts do not have.
    pub replacement_note: &'static str,
    /// The caption of the table of lines.
    pub lines_caption: &'static str,
    /// The caption of the table of taxes.
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
/// The group separator in French, and the space before a percent sign.
const NARROW_NO_BREAK_SPACE: char = '\u{202f}';

impl Language {
    /// All languages.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Japanese];

    /// Returns the customer's preferred language if it is available, and English otherwise.
    pub fn from_preference(preference: Option<&domain::Language>) -> Self {
        let is_preferred = |language: &Self| preference.is_some_and(|code| code.as_str() == language.code());
        Self::ALL.into_iter().find(is_preferred).unwrap_or(Self::English)
    }

    /// Returns the language code (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Japanese => "ja",
        }
    }

    /// Returns the labels.
    pub fn labels(self) -> &'static Labels {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Japanese => &JAPANESE,
        }
    }

    /// Returns the note about the payment, with its date and reference.
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

    /// Returns the note about the payment of an invoice of 0.
    pub fn nothing_to_pay_note(self) -> &'static str {
        match self {
            Self::English => "There is nothing to pay.",
            Self::German => "Es ist nichts zu bezahlen.",
            Self::French => "Aucun montant n’est à payer.",
            Self::Japanese => "お支払いいただく金額はありません。",
        }
    }

    /// Returns the number of a page, such as "Page 1 of 2".
    pub fn page_label(self, page: usize, count: usize) -> String {
        match self {
            Self::English => format!("Page {page} of {count}"),
            Self::German => format!("Seite {page} von {count}"),
            Self::French => format!("Page {page} sur {count}"),
            Self::Japanese => format!("{page} / {count} ページ"),
        }
    }

    /// Formats a date. English spells out the month, so that it cannot be mistaken for the day.
    pub fn format_date(self, date: Date) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match self {
            Self::English => date.strftime("%-d %B %Y").to_string(),
            Self::German => format!("{day:02}.{month:02}.{year}"),
            Self::French => format!("{day:02}/{month:02}/{year}"),
            Self::Japanese => format!("{year}年{month}月{day}日"),
        }
    }

    /// Formats an amount of money.
    pub fn format_money(self, money: Money) -> String {
        self.format_minor_units(money.minor_units(), money)
    }

    /// Formats an amount of minor units in the currency of `currency_of`.
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

    /// Formats a tax rate, without trailing zeros.
    pub fn format_rate(self, rate: TaxRate) -> String {
        let number = self.format_decimal(rate.basis_points().into(), 2);
        let number = number.trim_end_matches('0').trim_end_matches(self.decimal_separator());
        match self {
            Self::English | Self::Japanese => format!("{number}%"),
            Self::German => format!("{number}{NO_BREAK_SPACE}%"),
            Self::French => format!("{number}{NARROW_NO_BREAK_SPACE}%"),
        }
    }

    /// Formats a whole number.
    pub fn format_count(self, number: u32) -> String {
        self.format_decimal(number, 0)
    }

    fn decimal_separator(self) -> char {
        match self {
            Self::English | Self::Japanese => '.',
            Self::German | Self::French => ',',
        }
    }

    /// Formats a number of minor units with `digits` decimal places and group separators.
    fn format_decimal(self, units: u32, digits: usize) -> String {
        let group_separator = match self {
            Self::English | Self::Japanese => ',',
            Self::German => '.',
            Self::French => NARROW_NO_BREAK_SPACE,
        };
        domain::money::format_decimal(units.into(), digits, self.decimal_separator(), Some(group_separator))
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
