//! Planted bugs: each switches off one protection, at a port or in what surrounds the functions. The functions
//! themselves stay as they ship. That the simulation finds every one of them is a test.

use domain::payment::{Payment, PaymentState};

/// A protection that is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Planted {
    /// A message is acknowledged before what it led to is on the bus.
    AcknowledgeBeforePublish,
    /// The bus's refusal of single entries is overlooked.
    IgnoreRefusedEntry,
    /// An attempt does not learn of the PaymentIntent that an earlier one has made.
    ChargeWithoutLookingUp,
    /// Stock is released when a customer asks to cancel, not when payments has decided.
    ReleaseWithoutTheArbiter,
    /// Releasing a reservation that is not there leaves nothing behind.
    NoTombstone,
    /// The note that a mail is done, or given up, is written whoever holds the claim.
    UnconditionalCompletion,
    /// An order is written over whatever has happened to it since it was read.
    StatusUpdateWithoutCondition,
    /// A batch counts as handled although some of its records failed.
    SuccessForFailedRecord,
}

/// What [`Planted::ChargeWithoutLookingUp`] does to a record that is read.
pub fn forget_intent(payment: &mut Option<Payment>) {
    if let Some(Payment { state: PaymentState::Charging { intent, .. }, .. }) = payment {
        *intent = None;
    }
}
