//! Mutations that each switch off one protection, to show that the checker detects it.

use strum::{IntoStaticStr, VariantArray};

use crate::property::Property;
use crate::scope::{BASE, Card, FaultKind, LATE_CONFIRMATION, Scope};
use crate::state::Function;

/// A protection that is switched off, in how the rules are driven or in the input that they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Mutation {
    /// A payment record is written unconditionally.
    UnconditionalPayment,
    /// An attempt that takes over a payment creates another PaymentIntent instead of looking up the stored
    /// one.
    ChargeWithoutLookup,
    /// A PaymentIntent is confirmed before its id is stored in the record.
    ConfirmBeforeStoring,
    /// A payment is voided without its PaymentIntent being cancelled at the provider.
    VoidWithoutCancelling,
    /// A payment is declined without its PaymentIntent being cancelled at the provider.
    DeclineWithoutCancelling,
    /// A request to cancel a PaymentIntent that got no response counts as done.
    UnknownIsCancelled,
    /// Releasing a missing reservation leaves no tombstone.
    NoTombstone,
    /// A reservation is written unconditionally.
    UnconditionalReservation,
    /// Stock is taken without the condition that enough is available.
    UnconditionalStock,
    /// Stock is released on the cancellation request, without the decision of the arbiter.
    ReleaseOnCancellationRequest,
    /// A claim on an email is acquired while its owner still holds the lease.
    IgnoreLeases,
    /// A claim is completed without checking its owner's token.
    UnconditionalCompletion,
    /// A claim is released without checking its owner's token.
    UnconditionalRelease,
    /// A message is acknowledged before the resulting event is published.
    AcknowledgeBeforePublish,
    /// An entry that the bus rejected counts as published.
    IgnoreFailedEntries,
    /// A failed record is reported as a success.
    ReportFailureAsSuccess,
    /// An order is written unconditionally.
    UnconditionalOrder,
    /// The order and its outbox row are written separately.
    TornOutbox,
    /// An outbox row is removed before it is published.
    RemoveBeforePublish,
    /// A cancellation request is not repeated.
    RequestCancellationOnce,
    /// A repeated cancellation request has its own reason instead of that of the first.
    NewestReason,
}

const FAULT: Scope = Scope { faults: 1, ..BASE };
const CANCELLED: Scope = Scope { cancellations: 1, ..BASE };

impl Mutation {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The mutation in words.
    pub fn description(self) -> &'static str {
        match self {
            Self::UnconditionalPayment => "a payment record is written unconditionally",
            Self::ChargeWithoutLookup => "a second attempt creates another PaymentIntent without a lookup",
            Self::ConfirmBeforeStoring => "a PaymentIntent is confirmed before its id is stored",
            Self::VoidWithoutCancelling => "a payment is voided without cancelling its PaymentIntent",
            Self::DeclineWithoutCancelling => "a payment is declined without cancelling its PaymentIntent",
            Self::UnknownIsCancelled => "a cancellation without a response counts as done",
            Self::NoTombstone => "releasing a missing reservation leaves no tombstone",
            Self::UnconditionalReservation => "a reservation is written unconditionally",
            Self::UnconditionalStock => "stock is taken without checking that enough is available",
            Self::ReleaseOnCancellationRequest => "stock is released on the cancellation request",
            Self::IgnoreLeases => "a claim is acquired while its owner holds the lease",
            Self::UnconditionalCompletion => "a claim is completed by an attempt that has lost it",
            Self::UnconditionalRelease => "a claim is released by an attempt that has lost it",
            Self::AcknowledgeBeforePublish => "a message is acknowledged before its event is published",
            Self::IgnoreFailedEntries => "an entry that the bus rejected counts as published",
            Self::ReportFailureAsSuccess => "a failed record is reported as a success",
            Self::UnconditionalOrder => "an order is written unconditionally",
            Self::TornOutbox => "the order and its outbox row are written separately",
            Self::RemoveBeforePublish => "an outbox row is removed before it is published",
            Self::RequestCancellationOnce => "a cancellation request is not repeated",
            Self::NewestReason => "a repeated cancellation request has a reason of its own",
        }
    }

    /// The property that the mutation violates.
    pub fn violates(self) -> Property {
        match self {
            Self::ChargeWithoutLookup | Self::ConfirmBeforeStoring => Property::OneCapture,
            Self::VoidWithoutCancelling
            | Self::DeclineWithoutCancelling
            | Self::UnknownIsCancelled
            | Self::NoTombstone => Property::RecordsAgree,
            Self::UnconditionalReservation => Property::StockIsReserved,
            Self::UnconditionalStock => Property::StockIsConserved,
            Self::ReleaseOnCancellationRequest => Property::CapturedIsHeld,
            Self::IgnoreLeases => Property::OneEmail,
            Self::AcknowledgeBeforePublish | Self::IgnoreFailedEntries | Self::ReportFailureAsSuccess => {
                Property::NothingHangs
            }
            Self::UnconditionalPayment
            | Self::UnconditionalCompletion
            | Self::UnconditionalRelease
            | Self::UnconditionalOrder => Property::FinalStays,
            Self::TornOutbox | Self::RemoveBeforePublish => Property::EventIsNotLost,
            Self::RequestCancellationOnce => Property::OrdersTerminate,
            Self::NewestReason => Property::FirstReasonStays,
        }
    }

    /// The scope in which the counterexample is searched. Without the mutation, every property holds there.
    pub fn scope(self) -> Scope {
        let scope = match self {
            Self::UnconditionalPayment | Self::NoTombstone | Self::ReleaseOnCancellationRequest => CANCELLED,
            Self::VoidWithoutCancelling => Scope { faults: 1, fault_kinds: &[FaultKind::Stall], ..CANCELLED },
            Self::UnknownIsCancelled => LATE_CONFIRMATION,
            Self::DeclineWithoutCancelling => {
                Scope { cards: &[Card::Succeeds, Card::Declines], fault_kinds: &[FaultKind::Stall], ..FAULT }
            }
            Self::UnconditionalReservation => Scope { stock: [2, 2], ..FAULT },
            Self::UnconditionalStock => {
                Scope { orders: &[[1, 0], [1, 1]], excluded: AFTER_RESERVING, ..BASE }
            }
            Self::RequestCancellationOnce => {
                Scope { faults: 2, fault_kinds: &[FaultKind::DeadLetter], ..BASE }
            }
            Self::NewestReason => Scope { faults: 1, fault_kinds: &[FaultKind::DeadLetter], ..CANCELLED },
            Self::UnconditionalOrder => Scope { deferred: &[Function::SendEmail], ..CANCELLED },
            _ => FAULT,
        };
        Scope { name: self.name(), ..scope }
    }
}

const AFTER_RESERVING: &[Function] =
    &[Function::ProcessPayment, Function::VoidPayment, Function::TrackOrder, Function::SendEmail];
