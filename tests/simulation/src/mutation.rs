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
    /// A delivery to a partner is recorded as delivered, although the receiver did not accept it.
    RecordFailureAsDelivered,
    /// A record of the search index is written regardless of a concurrent change.
    UnconditionalIndexWrite,
    /// A row of an imported file is applied, although its marker exists.
    ImportWithoutMarker,
    /// The result of an upload overwrites an earlier one.
    OverwriteUploadResult,
    /// A report on the health replaces a newer one.
    OlderReportWins,
    /// A profile is written regardless of its revision.
    UnconditionalProfileWrite,
}

/// Removes the PaymentIntent from a record that was read, for [`Mutation::ChargeWithoutLookup`].
pub fn forget_intent(payment: &mut Option<Payment>) {
    if let Some(Payment { state: PaymentState::Charging { intent, .. }, .. }) = payment {
        *intent = None;
    }
}
