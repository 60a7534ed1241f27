//! The phrases in English.

use domain::{Money, ShortageKind, VoidReason};
use localization::{Language, PluralCategory};

use super::Phrase;
use crate::decline::{Decline, Remedy};
use crate::email::EmailKind;

pub(super) fn say(phrase: Phrase<'_>) -> String {
    let language = Language::English;
    let money = |amount: Money| language.format_money(amount);
    let count = |number: u32| language.format_count(number);
    match phrase {
        Phrase::Subject(kind) => match kind {
            EmailKind::Confirmation => "Your order is confirmed",
            EmailKind::Rejection => "We could not accept your order",
            EmailKind::PaymentFailure => "Your payment was declined",
            EmailKind::Cancellation => "Your order is cancelled",
        }
        .into(),
        Phrase::Heading(kind) => match kind {
            EmailKind::Confirmation => "Thank you for your order",
            EmailKind::Rejection => "We are sorry",
            EmailKind::PaymentFailure => "Your payment was declined",
            EmailKind::Cancellation => "Your order is cancelled",
        }
        .into(),
        Phrase::Greeting { name } => format!("Hello {name},"),
        Phrase::Paid(amount) if amount.minor_units() == 0 => {
            "Your order is free of charge, and we are packing it.".into()
        }
        Phrase::Paid(amount) => {
            format!("We have received your payment of {} and are packing your order.", money(amount))
        }
        Phrase::Rejected => {
            "We could not accept your order as you placed it. You have not been charged.".into()
        }
        Phrase::Shortage { product, kind } => match kind {
            ShortageKind::UnknownProduct => format!("{product} is no longer available."),
            ShortageKind::OutOfStock { available: 0 } => format!("{product} is sold out."),
            ShortageKind::OutOfStock { available } => format!("{product}: only {} left.", count(*available)),
            ShortageKind::PriceChanged { price } => format!("{product} now costs {}.", money(*price)),
        },
        Phrase::Declined(decline) => match decline {
            Decline::InsufficientFunds => "Your card does not have enough funds for this payment.",
            Decline::LimitExceeded => "The payment exceeds the limit of your card.",
            Decline::ExpiredCard => "Your card has expired.",
            Decline::IncorrectCvc => "The security code of your card was incorrect.",
            Decline::IncorrectDetails => "The details of your card were incorrect.",
            Decline::AuthenticationRequired => "Your bank requires you to authenticate the payment.",
            Decline::CardNotSupported => "Your card cannot be used for this payment.",
            Decline::CurrencyNotSupported => "The payment cannot be made in the currency of the order.",
            Decline::InvalidPaymentMethod => "The payment method of your order cannot be used.",
            Decline::AmountTooSmall => "The amount of your order is too small to be charged.",
            Decline::AmountTooLarge => "The amount of your order is too large to be charged.",
            Decline::Temporary => "The payment could not be processed because of a temporary problem.",
            Decline::ByBank => "Your bank declined the payment.",
            Decline::ByProvider => "The payment could not be processed.",
        }
        .into(),
        Phrase::Remedy(remedy) => match remedy {
            Remedy::AnotherCard => "You are welcome to order again with another card.",
            Remedy::Later => "You are welcome to order again later, or with another card.",
            Remedy::LargerOrder => "You are welcome to place a larger order.",
            Remedy::SmallerOrders => "You are welcome to split the order into several.",
        }
        .into(),
        Phrase::Cancelled(reason) => match reason {
            VoidReason::CustomerRequest => "As you requested, we have cancelled your order.",
            VoidReason::Expired => "We could not complete your order in time and have cancelled it.",
            VoidReason::Provider => "The payment was cancelled, so we have cancelled your order.",
        }
        .into(),
        Phrase::NotCharged => "You have not been charged.".into(),
        Phrase::Order(order) => format!("Order {order}"),
        Phrase::YourOrder(order) => format!("Your order {order}:"),
        Phrase::Row { quantity, product, unit_price } => {
            format!("{} × {product} at {}", count(quantity), money(unit_price))
        }
        Phrase::Product => "Product".into(),
        Phrase::Quantity => "Quantity".into(),
        Phrase::UnitPrice => "Unit price".into(),
        Phrase::Total { pieces } => {
            let number = count(pieces);
            match language.plural_category(pieces) {
                PluralCategory::One => format!("Total ({number} item)"),
                PluralCategory::Many | PluralCategory::Other => format!("Total ({number} items)"),
            }
        }
        Phrase::Labelled(label, value) => format!("{label}: {value}"),
    }
}
