//! Who receives the emails about an order.

use domain::EmailAddress;
use platform::http::{Caller, FieldError, Problem, VerifiedEmail};

/// The rule for the address of an order. If customers could choose it, anyone who signs in could have the shop
/// send email to anybody.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// The customer orders for themselves: the verified address of their account.
    Account(EmailAddress),
    /// Staff, a partner, or a machine of the shop orders for a customer: the address in the request.
    Requested,
}

impl Recipient {
    /// Determines the rule for a caller.
    ///
    /// # Errors
    /// A 403 for a customer whose account has no verified address.
    pub(crate) fn of_caller(caller: &Caller, email: VerifiedEmail) -> Result<Self, Problem> {
        match (caller, email.0) {
            (Caller::User { is_staff: false, .. }, Some(email)) => Ok(Self::Account(email)),
            (Caller::User { is_staff: false, .. }, None) => Err(Problem::forbidden(
                "Emails about an order are sent to the verified email address of your account, and it has none. \
                 Verify it, then sign in again.",
            )),
            _ => Ok(Self::Requested),
        }
    }

    /// Determines the address, given that in the request. The case of letters does not matter.
    pub(crate) fn resolve(self, requested: Option<EmailAddress>) -> Result<EmailAddress, FieldError> {
        let reason = match (self, requested) {
            (Self::Account(own), None) => return Ok(own),
            (Self::Account(own), Some(requested)) => {
                if requested.as_str().eq_ignore_ascii_case(own.as_str()) {
                    return Ok(own);
                }
                "is not the verified address of your account: omit it"
            }
            (Self::Requested, Some(requested)) => return Ok(requested),
            (Self::Requested, None) => "is missing: say where to send emails about the order",
        };
        Err(FieldError::pointer("/customer/email", reason))
    }
}
