//! The texts of invoices in each language. The formats of amounts, dates and rates are those of [`localization`].

use jiff::civil::Date;

pub use localization::Language;

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

/// What an invoice says in a language.
pub trait InvoiceTexts {
    /// Returns the labels.
    fn labels(self) -> &'static Labels;

    /// Returns the note about the payment, with its date and reference.
    fn payment_note(self, on: Date, payment: &str) -> String;

    /// Returns the note about the payment of an invoice of 0.
    fn nothing_to_pay_note(self) -> &'static str;

    /// Returns the number of a page, such as "Page 1 of 2".
    fn page_label(self, page: usize, count: usize) -> String;
}

impl InvoiceTexts for Language {
    fn labels(self) -> &'static Labels {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Japanese => &JAPANESE,
        }
    }

    fn payment_note(self, on: Date, payment: &str) -> String {
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

    fn nothing_to_pay_note(self) -> &'static str {
        match self {
            Self::English => "There is nothing to pay.",
            Self::German => "Es ist nichts zu bezahlen.",
            Self::French => "Aucun montant n’est à payer.",
            Self::Japanese => "お支払いいただく金額はありません。",
        }
    }

    fn page_label(self, page: usize, count: usize) -> String {
        match self {
            Self::English => format!("Page {page} of {count}"),
            Self::German => format!("Seite {page} von {count}"),
            Self::French => format!("Page {page} sur {count}"),
            Self::Japanese => format!("{page} / {count} ページ"),
        }
    }
}
