//! Mutations, each of which switches off one protection, at a port or in the environment of the functions. The
//! functions themselves run as they ship. A test asserts that the simulation detects every mutation.

use domain::payment::{Payment, PaymentState};

/// A protection that is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutation {
    /// A message is acknowledged before its resulting events are published.
    AcknowledgeBeforePublish,
    /// Failed entries of a `PutEvents` request are ignored.
    IgnoreFailedEntry,
    /// An attempt does not see the PaymentIntent that an earlier attempt has created.
    ChargeWithoutLookup,
    /// Stock is released on the cancellation request, without the decision of the payment service.
    ReleaseWithoutArbiter,
    /// Releasing a missing reservation leaves no tombstone.
    NoTombstone,
    /// The claim on an email is completed or released without checking its owner.
    UnconditionalCompletion,
    /// An order is written unconditionally.
    UnconditionalOrderUpdate,
    /// A batch is reported as a success although some of its records failed.
    ReportFailureAsSuccess,
    /// An email is composed without the language of the customer.
    ForgetLanguage,
    /// An invoice is written although its number is not the next one.
    InvoiceNumberWithoutCondition,
    /// A sale is written although it has changed since it was read.
    UnconditionalSale,
    /// The second page of a partition of the ledger lacks its first row.
    PageSkipsRow,
}

/// Removes the PaymentIntent from a record that was read, for [`Mutation::ChargeWithoutLookup`].
pub fn forget_intent(payment: &mut Option<Payment>) {
    if let Some(Payment { state: PaymentState::Charging { intent, .. }, .. }) = payment {
        *intent = None;
    }
}
