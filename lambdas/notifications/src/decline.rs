//! What a customer is told about a declined payment.

use domain::DeclineReason;

/// The reason for a declined payment, as far as the customer may know it: that a card is reported as stolen,
/// for example, must not be revealed (<https://docs.stripe.com/declines/codes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decline {
    /// The balance of the account is too low.
    InsufficientFunds,
    /// The limit on the amount or on the number of payments is reached.
    LimitExceeded,
    /// The card has expired.
    ExpiredCard,
    /// The security code (CVC) is wrong.
    IncorrectCvc,
    /// The number, the expiry date or the address is wrong.
    IncorrectDetails,
    /// The bank requires authentication, for which the customer is not present.
    AuthenticationRequired,
    /// The card cannot be used for this kind of payment or in this currency.
    CardNotSupported,
    /// The provider does not charge in this currency, or not this amount of it, whatever the card.
    CurrencyNotSupported,
    /// The payment method does not exist any more, or cannot be used.
    InvalidPaymentMethod,
    /// The amount is below the provider's minimum for the currency.
    AmountTooSmall,
    /// The amount is above the provider's maximum for the currency.
    AmountTooLarge,
    /// The bank or the provider has a problem that may pass.
    Temporary,
    /// The bank gave no reason, or one that must not be revealed.
    ByBank,
    /// The provider refused the payment for a reason of its own.
    ByProvider,
}

/// What the customer can do about a declined payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Order again with another card.
    AnotherCard,
    /// Order again after a while, or with another card.
    Later,
    /// Order more, so that the amount can be charged.
    LargerOrder,
    /// Split the order, so that each amount can be charged.
    SmallerOrders,
}

impl From<&DeclineReason> for Decline {
    /// Classifies a reason by Stripe's decline code, or else by its error code
    /// (<https://docs.stripe.com/error-codes>).
    fn from(reason: &DeclineReason) -> Self {
        let is_by_bank = reason.decline_code.is_some();
        match reason.decline_code.as_deref().unwrap_or(&reason.code) {
            "insufficient_funds" => Self::InsufficientFunds,
            "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" => Self::LimitExceeded,
            "expired_card" => Self::ExpiredCard,
            "incorrect_cvc" | "invalid_cvc" => Self::IncorrectCvc,
            "incorrect_number"
            | "invalid_number"
            | "invalid_expiry_month"
            | "invalid_expiry_year"
            | "incorrect_address"
            | "incorrect_zip" => Self::IncorrectDetails,
            "authentication_required"
            | "authentication_not_handled"
            | "payment_intent_authentication_failure" => Self::AuthenticationRequired,
            DeclineReason::AMOUNT_NOT_SUPPORTED | DeclineReason::CURRENCY_NOT_SUPPORTED if !is_by_bank => {
                Self::CurrencyNotSupported
            }
            "card_not_supported" | "currency_not_supported" => Self::CardNotSupported,
            "resource_missing"
            | "payment_method_missing"
            | "payment_method_not_available"
            | "payment_method_unactivated"
            | "payment_method_unexpected_state" => Self::InvalidPaymentMethod,
            DeclineReason::AMOUNT_TOO_SMALL => Self::AmountTooSmall,
            DeclineReason::AMOUNT_TOO_LARGE => Self::AmountTooLarge,
            "processing_error" | "issuer_not_available" | "reenter_transaction" | "try_again_later" => {
                Self::Temporary
            }
            "card_declined" => Self::ByBank,
            _ if is_by_bank => Self::ByBank,
            _ => Self::ByProvider,
        }
    }
}

impl Decline {
    /// Returns what the customer can do, if there is something.
    pub(crate) fn remedy(self) -> Option<Remedy> {
        match self {
            Self::InsufficientFunds
            | Self::LimitExceeded
            | Self::ExpiredCard
            | Self::IncorrectCvc
            | Self::IncorrectDetails
            | Self::AuthenticationRequired
            | Self::CardNotSupported
            | Self::InvalidPaymentMethod
            | Self::ByBank => Some(Remedy::AnotherCard),
            Self::Temporary | Self::ByProvider => Some(Remedy::Later),
            Self::AmountTooSmall => Some(Remedy::LargerOrder),
            Self::AmountTooLarge => Some(Remedy::SmallerOrders),
            Self::CurrencyNotSupported => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_classified_by_its_codes() {
        let decline = |code: &str, decline_code: Option<&str>| {
            let reason = DeclineReason { code: code.into(), decline_code: decline_code.map(str::to_owned) };
            Decline::from(&reason)
        };
        let declined_with = |decline_code| decline("card_declined", Some(decline_code));
        assert_eq!(declined_with("insufficient_funds"), Decline::InsufficientFunds);
        // Reasons that must not be revealed, and those that do not exist yet.
        for secret in ["stolen_card", "lost_card", "pickup_card", "fraudulent", "merchant_blacklist", "new"] {
            assert_eq!(declined_with(secret), Decline::ByBank, "{secret}");
        }
        assert_eq!(decline("card_declined", None), Decline::ByBank);
        assert_eq!(declined_with("currency_not_supported"), Decline::CardNotSupported);
        for currency in ["currency_not_supported", "amount_not_supported"] {
            assert_eq!(decline(currency, None), Decline::CurrencyNotSupported);
        }
        assert_eq!(decline("amount_too_small", None), Decline::AmountTooSmall);
        // The bank has nothing to do with the provider's own reasons.
        for own in ["invalid_request_error", "parameter_invalid_integer", "declined", ""] {
            assert_eq!(decline(own, None), Decline::ByProvider, "{own}");
        }
    }
}
