//! Stripe's test payment methods (<https://docs.stripe.com/testing>), and one of the stand-in's own.

use serde_json::{Value, json};

/// The outcome of charging a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// The charge succeeds.
    Succeeds,
    /// The charge is declined.
    Declines {
        /// `error.code`.
        code: &'static str,
        /// `error.decline_code`: the issuer's reason.
        decline_code: Option<&'static str>,
        /// `error.message`.
        message: &'static str,
    },
    /// The customer has to authenticate (3D Secure).
    RequiresAuthentication,
    /// The charge is processed until the control API decides it, as that of a payment method whose processing
    /// takes days.
    Processes,
}

/// A test card.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// The name in requests, such as `pm_card_visa`.
    pub name: &'static str,
    /// `visa`, `mastercard`, …
    pub brand: &'static str,
    /// The last four digits of the card number.
    pub last4: &'static str,
    /// The outcome of charging the card.
    pub behaviour: Behaviour,
}

impl Card {
    /// Returns the card with this name.
    pub fn by_name(name: &str) -> Option<&'static Card> {
        CARDS.iter().find(|card| card.name == name)
    }

    /// Returns the card as a PaymentMethod object with this id.
    pub fn render(&self, id: &str) -> Value {
        json!({
            "id": id,
            "object": "payment_method",
            "type": "card",
            "card": { "brand": self.brand, "last4": self.last4, "country": "US", "funding": "credit" },
            "customer": null,
            "livemode": false,
            "metadata": {},
        })
    }
}

const fn card(name: &'static str, brand: &'static str, last4: &'static str, behaviour: Behaviour) -> Card {
    Card { name, brand, last4, behaviour }
}

const fn declines(
    code: &'static str,
    decline_code: Option<&'static str>,
    message: &'static str,
) -> Behaviour {
    Behaviour::Declines { code, decline_code, message }
}

const DECLINED: &str = "Your card was declined.";

/// The supported test cards.
pub const CARDS: &[Card] = &[
    card("pm_card_visa", "visa", "4242", Behaviour::Succeeds),
    card("pm_card_visa_debit", "visa", "5556", Behaviour::Succeeds),
    card("pm_card_mastercard", "mastercard", "4444", Behaviour::Succeeds),
    card("pm_card_amex", "amex", "8431", Behaviour::Succeeds),
    card("pm_card_discover", "discover", "1117", Behaviour::Succeeds),
    card(
        "pm_card_visa_chargeDeclined",
        "visa",
        "0002",
        declines("card_declined", Some("generic_decline"), DECLINED),
    ),
    card(
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "visa",
        "9995",
        declines("card_declined", Some("insufficient_funds"), "Your card has insufficient funds."),
    ),
    card(
        "pm_card_visa_chargeDeclinedLostCard",
        "visa",
        "9987",
        declines("card_declined", Some("lost_card"), DECLINED),
    ),
    card(
        "pm_card_visa_chargeDeclinedStolenCard",
        "visa",
        "9979",
        declines("card_declined", Some("stolen_card"), DECLINED),
    ),
    card(
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        "visa",
        "6975",
        declines("card_declined", Some("card_velocity_exceeded"), DECLINED),
    ),
    card(
        "pm_card_chargeDeclinedExpiredCard",
        "visa",
        "0069",
        declines("expired_card", None, "Your card has expired."),
    ),
    card(
        "pm_card_chargeDeclinedIncorrectCvc",
        "visa",
        "0127",
        declines("incorrect_cvc", None, "Your card's security code is incorrect."),
    ),
    card(
        "pm_card_chargeDeclinedProcessingError",
        "visa",
        "0119",
        declines(
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    card("pm_card_authenticationRequired", "visa", "3184", Behaviour::RequiresAuthentication),
    // Stripe has no such card: there, only other kinds of payment methods are processed for long.
    card("pm_card_processing", "visa", "4242", Behaviour::Processes),
];
