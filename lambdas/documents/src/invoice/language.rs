//! How each language says it: words, dates, sums of money and rates.
//!
//! Four languages, and English for all others. What is written here is what CLDR 45 has for them
//! (<https://cldr.unicode.org>), which a table in the tests holds; `icu` would bring megabytes of data for the same. Only
//! the signs that mean one currency to everybody are used: `$` is the dollar of twenty countries, and is written `USD`.

use domain::{Language, Money, TaxRate};
use jiff::civil::Date;

/// A language that invoices are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
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
pub struct Words {
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
    pub inclusive: &'static str,
    /// Why some characters look as they do.
    pub replaced: &'static str,
    /// What the table of the lines is.
    pub lines_caption: &'static str,
    /// What the table of the taxes is.
    pub taxes_caption: &'static str,
}

static ENGLISH: Words = Words {
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
    inclusive: "All prices include tax.",
    replaced: "The sign \u{fffd} stands for a character that this document's fonts do not have.",
    lines_caption: "What was bought",
    taxes_caption: "Tax by rate",
};

static GERMAN: Words = Words {
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
    inclusive: "Alle Preise enthalten die Mehrwertsteuer.",
    replaced: "Das Zeichen \u{fffd} steht für ein Zeichen, das die Schriften dieses Dokuments nicht haben.",
    lines_caption: "Was gekauft wurde",
    taxes_caption: "Mehrwertsteuer nach Steuersatz",
};

static FRENCH: Words = Words {
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
    inclusive: "Tous les prix s’entendent TTC.",
    replaced: "Le signe \u{fffd} remplace un caractère absent des polices de ce document.",
    lines_caption: "Articles achetés",
    taxes_caption: "TVA par taux",
};

static JAPANESE: Words = Words {
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
    inclusive: "表示価格はすべて税込です。",
    replaced: "\u{fffd}は、この文書のフォントに含まれない文字を表します。",
    lines_caption: "ご購入内容",
    taxes_caption: "税率別内訳",
};

const NO_BREAK_SPACE: &str = "\u{a0}";
/// What French puts between groups of digits, and before a percent sign.
const NARROW_NO_BREAK_SPACE: &str = "\u{202f}";

impl Tongue {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Japanese];

    /// The one that a customer reads, or English.
    pub fn of(language: Option<&Language>) -> Self {
        let named = |tongue: &Self| language.is_some_and(|language| language.as_str() == tongue.code());
        Self::ALL.into_iter().find(named).unwrap_or(Self::English)
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
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Japanese => &JAPANESE,
        }
    }

    /// That it was paid, when, and where the provider has it.
    pub fn paid_in_full(self, on: Date, payment: &str) -> String {
        let date = self.date(on);
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
    pub fn page(self, page: usize, of: usize) -> String {
        match self {
            Self::English => format!("Page {page} of {of}"),
            Self::German => format!("Seite {page} von {of}"),
            Self::French => format!("Page {page} sur {of}"),
            Self::Japanese => format!("{page} / {of} ページ"),
        }
    }

    /// A day. English writes the month as a word, so that nobody takes it for the day.
    pub fn date(self, date: Date) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match self {
            Self::English => date.strftime("%-d %B %Y").to_string(),
            Self::German => format!("{day:02}.{month:02}.{year}"),
            Self::French => format!("{day:02}/{month:02}/{year}"),
            Self::Japanese => format!("{year}年{month}月{day}日"),
        }
    }

    /// A sum of money.
    pub fn money(self, money: Money) -> String {
        self.units(money.minor_units(), money)
    }

    /// As many minor units of the currency of `like`.
    pub fn units(self, minor_units: u32, like: Money) -> String {
        let number = self.decimal(minor_units, like.currency.decimal_places());
        let code = like.currency.code();
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
    pub fn rate(self, rate: TaxRate) -> String {
        let number = self.decimal(rate.basis_points().into(), 2);
        let number = number.trim_end_matches('0').trim_end_matches(self.point());
        let space = match self {
            Self::English | Self::Japanese => "",
            Self::German => NO_BREAK_SPACE,
            Self::French => NARROW_NO_BREAK_SPACE,
        };
        format!("{number}{space}%")
    }

    /// A whole number.
    pub fn count(self, number: u32) -> String {
        self.decimal(number, 0)
    }

    fn point(self) -> char {
        match self {
            Self::English | Self::Japanese => '.',
            Self::German | Self::French => ',',
        }
    }

    /// `units` with so many digits behind the point, and in groups of three before it.
    fn decimal(self, units: u32, digits: usize) -> String {
        let group = match self {
            Self::English | Self::Japanese => ",",
            Self::German => ".",
            Self::French => NARROW_NO_BREAK_SPACE,
        };
        // At least one digit stands before the point.
        let text = format!("{units:0least$}", least = digits.saturating_add(1));
        let (whole, fraction) = text.split_at(text.len().saturating_sub(digits));
        let mut number = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && whole.len().saturating_sub(index).is_multiple_of(3) {
                number.push_str(group);
            }
            number.push(digit);
        }
        if digits > 0 {
            number.push(self.point());
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
    fn sums_are_written_as_cldr_has_them() {
        let written = |amount, currency| Tongue::ALL.map(|tongue| tongue.money(money(amount, currency)));
        assert_eq!(
            written(123_456, "EUR"),
            ["€1,234.56", "1.234,56\u{a0}€", "1\u{202f}234,56\u{a0}€", "€1,234.56"]
        );
        assert_eq!(written(5, "EUR"), ["€0.05", "0,05\u{a0}€", "0,05\u{a0}€", "€0.05"]);
        assert_eq!(written(1_234_567, "JPY")[0], "¥1,234,567");
        assert_eq!(written(1_234_567, "JPY")[3], "￥1,234,567");
        assert_eq!(written(1_234_567, "JPY")[2], "1\u{202f}234\u{202f}567\u{a0}JPY");
        assert_eq!(written(99_999_999, "KWD")[1], "99.999,999\u{a0}KWD");
        assert_eq!(written(99_999_999, "KWD")[0], "KWD\u{a0}99,999.999");
        assert_eq!(written(0, "KWD")[0], "KWD\u{a0}0.000");
        assert_eq!(written(1250, "USD")[0], "USD\u{a0}12.50");
        assert_eq!(written(100, "JPY")[0], "¥100");
    }

    #[test]
    fn days_and_rates() {
        let day = date(2026, 3, 4);
        assert_eq!(
            Tongue::ALL.map(|tongue| tongue.date(day)),
            ["4 March 2026", "04.03.2026", "04/03/2026", "2026年3月4日"]
        );
        let rates = |basis_points: i64| Tongue::ALL.map(|t| t.rate(TaxRate::try_from(basis_points).unwrap()));
        assert_eq!(rates(1900), ["19%", "19\u{a0}%", "19\u{202f}%", "19%"]);
        assert_eq!(rates(550), ["5.5%", "5,5\u{a0}%", "5,5\u{202f}%", "5.5%"]);
        assert_eq!(rates(25), ["0.25%", "0,25\u{a0}%", "0,25\u{202f}%", "0.25%"]);
        assert_eq!(rates(0)[0], "0%");
        assert_eq!(rates(10_000)[0], "100%");
    }

    #[test]
    fn others_read_english() {
        let tongue = |code: &str| Tongue::of(Some(&code.parse().unwrap()));
        assert_eq!(
            (tongue("de"), tongue("ja"), tongue("xx")),
            (Tongue::German, Tongue::Japanese, Tongue::English)
        );
        assert_eq!(Tongue::of(None), Tongue::English);
    }
}
