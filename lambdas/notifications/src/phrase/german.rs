//! The phrases in German.

use domain::{Money, ShortageKind, VoidReason};
use localization::Language;

use super::Phrase;
use crate::decline::{Decline, Remedy};
use crate::email::EmailKind;

pub(super) fn say(phrase: Phrase<'_>) -> String {
    let language = Language::German;
    let money = |amount: Money| language.format_money(amount);
    let count = |number: u32| language.format_count(number);
    match phrase {
        Phrase::Subject(kind) => match kind {
            EmailKind::Confirmation => "Ihre Bestellung ist bestätigt",
            EmailKind::Rejection => "Wir konnten Ihre Bestellung nicht annehmen",
            EmailKind::PaymentFailure => "Ihre Zahlung wurde abgelehnt",
            EmailKind::Cancellation => "Ihre Bestellung ist storniert",
        }
        .into(),
        Phrase::Heading(kind) => match kind {
            EmailKind::Confirmation => "Vielen Dank für Ihre Bestellung",
            EmailKind::Rejection => "Es tut uns leid",
            EmailKind::PaymentFailure => "Ihre Zahlung wurde abgelehnt",
            EmailKind::Cancellation => "Ihre Bestellung ist storniert",
        }
        .into(),
        // After a comma, the next sentence would have to begin with a small letter.
        Phrase::Greeting { name } => format!("Guten Tag {name}!"),
        Phrase::Paid(amount) if amount.minor_units() == 0 => {
            "Ihre Bestellung ist kostenlos, und wir packen sie gerade.".into()
        }
        Phrase::Paid(amount) => {
            format!("Wir haben Ihre Zahlung von {} erhalten und packen Ihre Bestellung.", money(amount))
        }
        Phrase::Rejected => {
            "Wir konnten Ihre Bestellung so nicht annehmen. Es wurde nichts abgebucht.".into()
        }
        Phrase::Shortage { product, kind } => match kind {
            ShortageKind::UnknownProduct => format!("{product} ist nicht mehr erhältlich."),
            ShortageKind::OutOfStock { available: 0 } => format!("{product} ist ausverkauft."),
            // "Stück" is the same in the singular and in the plural.
            ShortageKind::OutOfStock { available } => {
                format!("{product}: nur noch {} Stück verfügbar.", count(*available))
            }
            ShortageKind::PriceChanged { price } => format!("{product} kostet jetzt {}.", money(*price)),
        },
        Phrase::Declined(decline) => match decline {
            Decline::InsufficientFunds => "Ihre Karte ist für diese Zahlung nicht ausreichend gedeckt.",
            Decline::LimitExceeded => "Die Zahlung übersteigt das Limit Ihrer Karte.",
            Decline::ExpiredCard => "Ihre Karte ist abgelaufen.",
            Decline::IncorrectCvc => "Die Prüfnummer Ihrer Karte war falsch.",
            Decline::IncorrectDetails => "Die Angaben zu Ihrer Karte waren falsch.",
            Decline::AuthenticationRequired => "Ihre Bank verlangt, dass Sie die Zahlung freigeben.",
            Decline::CardNotSupported => "Ihre Karte kann für diese Zahlung nicht verwendet werden.",
            Decline::CurrencyNotSupported => "In der Währung der Bestellung kann nicht gezahlt werden.",
            Decline::InvalidPaymentMethod => "Die Zahlungsart Ihrer Bestellung kann nicht verwendet werden.",
            Decline::AmountTooSmall => "Der Betrag Ihrer Bestellung ist zu klein, um abgebucht zu werden.",
            Decline::AmountTooLarge => "Der Betrag Ihrer Bestellung ist zu groß, um abgebucht zu werden.",
            Decline::Temporary => {
                "Die Zahlung konnte wegen eines vorübergehenden Problems nicht ausgeführt werden."
            }
            Decline::ByBank => "Ihre Bank hat die Zahlung abgelehnt.",
            Decline::ByProvider => "Die Zahlung konnte nicht ausgeführt werden.",
        }
        .into(),
        Phrase::Remedy(remedy) => match remedy {
            Remedy::AnotherCard => "Sie können gern mit einer anderen Karte erneut bestellen.",
            Remedy::Later => "Sie können gern später oder mit einer anderen Karte erneut bestellen.",
            Remedy::LargerOrder => "Sie können gern eine größere Bestellung aufgeben.",
            Remedy::SmallerOrders => "Sie können die Bestellung gern auf mehrere aufteilen.",
        }
        .into(),
        Phrase::Cancelled(reason) => match reason {
            VoidReason::CustomerRequest => "Wie gewünscht haben wir Ihre Bestellung storniert.",
            VoidReason::Expired => {
                "Wir konnten Ihre Bestellung nicht rechtzeitig abschließen und haben sie storniert."
            }
            VoidReason::Provider => {
                "Die Zahlung wurde abgebrochen. Deshalb haben wir Ihre Bestellung storniert."
            }
        }
        .into(),
        Phrase::NotCharged => "Es wurde nichts abgebucht.".into(),
        Phrase::Order(order) => format!("Bestellung {order}"),
        Phrase::YourOrder(order) => format!("Ihre Bestellung {order}:"),
        Phrase::Row { quantity, product, unit_price } => {
            format!("{} × {product} à {}", count(quantity), money(unit_price))
        }
        Phrase::Product => "Produkt".into(),
        Phrase::Quantity => "Menge".into(),
        Phrase::UnitPrice => "Einzelpreis".into(),
        // So is "Artikel".
        Phrase::Total { pieces } => format!("Gesamt ({} Artikel)", count(pieces)),
        Phrase::Labelled(label, value) => format!("{label}: {value}"),
    }
}
