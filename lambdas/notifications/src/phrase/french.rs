//! The phrases in French. A colon follows a no-break space.

use domain::{Money, ShortageKind, VoidReason};
use localization::{Language, PluralCategory};

use super::Phrase;
use crate::decline::{Decline, Remedy};
use crate::email::EmailKind;

pub(super) fn say(phrase: Phrase<'_>) -> String {
    let language = Language::French;
    let money = |amount: Money| language.format_money(amount);
    let count = |number: u32| language.format_count(number);
    match phrase {
        Phrase::Subject(kind) => match kind {
            EmailKind::Confirmation => "Votre commande est confirmée",
            EmailKind::Rejection => "Nous n’avons pas pu accepter votre commande",
            EmailKind::PaymentFailure => "Votre paiement a été refusé",
            EmailKind::Cancellation => "Votre commande est annulée",
        }
        .into(),
        Phrase::Heading(kind) => match kind {
            EmailKind::Confirmation => "Merci pour votre commande",
            EmailKind::Rejection => "Nous sommes désolés",
            EmailKind::PaymentFailure => "Votre paiement a été refusé",
            EmailKind::Cancellation => "Votre commande est annulée",
        }
        .into(),
        Phrase::Greeting { name } => format!("Bonjour {name},"),
        Phrase::Paid(amount) if amount.minor_units() == 0 => {
            "Votre commande est gratuite et nous la préparons.".into()
        }
        Phrase::Paid(amount) => {
            format!("Nous avons reçu votre paiement de {} et préparons votre commande.", money(amount))
        }
        Phrase::Rejected => "Nous n’avons pas pu accepter votre commande telle que vous l’avez passée. \
                             Aucun montant n’a été débité."
            .into(),
        Phrase::Shortage { product, kind } => match kind {
            ShortageKind::UnknownProduct => format!("{product} n’est plus disponible."),
            // An adjective would have to agree with the gender of the product.
            ShortageKind::OutOfStock { available: 0 } => {
                format!("{product}\u{a0}: en rupture de stock.")
            }
            ShortageKind::OutOfStock { available } => {
                let number = count(*available);
                match language.plural_category(*available) {
                    PluralCategory::One => format!("{product}\u{a0}: il ne reste qu’un exemplaire."),
                    PluralCategory::Many => {
                        format!("{product}\u{a0}: il ne reste que {number} d’exemplaires.")
                    }
                    PluralCategory::Other => {
                        format!("{product}\u{a0}: il ne reste que {number} exemplaires.")
                    }
                }
            }
            ShortageKind::PriceChanged { price } => format!("{product} coûte désormais {}.", money(*price)),
        },
        Phrase::Declined(decline) => match decline {
            Decline::InsufficientFunds => {
                "Votre carte n’est pas suffisamment approvisionnée pour ce paiement."
            }
            Decline::LimitExceeded => "Le paiement dépasse le plafond de votre carte.",
            Decline::ExpiredCard => "Votre carte a expiré.",
            Decline::IncorrectCvc => "Le code de sécurité de votre carte était incorrect.",
            Decline::IncorrectDetails => "Les données de votre carte étaient incorrectes.",
            Decline::AuthenticationRequired => "Votre banque exige que vous authentifiiez le paiement.",
            Decline::CardNotSupported => "Votre carte ne peut pas être utilisée pour ce paiement.",
            Decline::CurrencyNotSupported => "Le paiement n’est pas possible dans la devise de la commande.",
            Decline::InvalidPaymentMethod => {
                "Le moyen de paiement de votre commande ne peut pas être utilisé."
            }
            Decline::AmountTooSmall => "Le montant de votre commande est trop faible pour être débité.",
            Decline::AmountTooLarge => "Le montant de votre commande est trop élevé pour être débité.",
            Decline::Temporary => "Le paiement n’a pas pu être traité en raison d’un problème temporaire.",
            Decline::ByBank => "Votre banque a refusé le paiement.",
            Decline::ByProvider => "Le paiement n’a pas pu être traité.",
        }
        .into(),
        Phrase::Remedy(remedy) => match remedy {
            Remedy::AnotherCard => "Vous pouvez commander à nouveau avec une autre carte.",
            Remedy::Later => "Vous pouvez commander à nouveau plus tard ou avec une autre carte.",
            Remedy::LargerOrder => "Vous pouvez passer une commande plus importante.",
            Remedy::SmallerOrders => "Vous pouvez répartir la commande en plusieurs.",
        }
        .into(),
        Phrase::Cancelled(reason) => match reason {
            VoidReason::CustomerRequest => "Comme vous l’avez demandé, nous avons annulé votre commande.",
            VoidReason::Expired => "Nous n’avons pas pu finaliser votre commande à temps et l’avons annulée.",
            VoidReason::Provider => "Le paiement a été annulé. Nous avons donc annulé votre commande.",
        }
        .into(),
        Phrase::NotCharged => "Aucun montant n’a été débité.".into(),
        Phrase::Order(order) => format!("Commande {order}"),
        Phrase::YourOrder(order) => format!("Votre commande {order}\u{a0}:"),
        Phrase::Row { quantity, product, unit_price } => {
            format!("{} × {product} à {}", count(quantity), money(unit_price))
        }
        Phrase::Product => "Produit".into(),
        Phrase::Quantity => "Quantité".into(),
        Phrase::UnitPrice => "Prix unitaire".into(),
        Phrase::Total { pieces } => {
            let number = count(pieces);
            match language.plural_category(pieces) {
                PluralCategory::One => format!("Total ({number} article)"),
                PluralCategory::Many => format!("Total ({number} d’articles)"),
                PluralCategory::Other => format!("Total ({number} articles)"),
            }
        }
        Phrase::Labelled(label, value) => format!("{label}\u{a0}: {value}"),
    }
}
