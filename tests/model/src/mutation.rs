//! Protections that can be switched off, to see that the checker notices.

use crate::property::Property;
use crate::scope::{BASE, Card, Kind, Scope};
use crate::state::Function;

/// One protection off: in how the rules are driven, or in what is handed to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// A payment's record is written without its condition.
    UnconditionalPayment,
    /// Whoever takes over a payment does not look what became of its PaymentIntent, and makes another.
    ChargeWithoutLookup,
    /// A PaymentIntent is confirmed before its id is in the record.
    ConfirmBeforeStoring,
    /// A payment is voided without its PaymentIntent being cancelled at the provider.
    VoidWithoutCancelling,
    /// A payment is declined without its PaymentIntent being cancelled at the provider.
    DeclineWithoutCancelling,
    /// Releasing a reservation that is not there leaves nothing.
    NoTombstone,
    /// A reservation is written without its condition.
    UnconditionalReservation,
    /// Stock is taken without the condition that there is enough.
    UnconditionalStock,
    /// Stock is released on the wish to cancel, without the arbiter's word.
    ReleaseOnWish,
    /// A claim on a mail is taken while its owner is at it.
    IgnoreLeases,
    /// That a mail was sent is noted without the owner's token.
    UnconditionalNote,
    /// A claim is given up without the owner's token.
    UnconditionalGiveUp,
    /// A message is acknowledged before what it leads to is published.
    AcknowledgeFirst,
    /// An entry that the bus refused counts as published.
    IgnoreRefusedEntries,
    /// A record that failed is answered as a success.
    FailureAsSuccess,
    /// An order is written without its condition.
    UnconditionalOrder,
    /// The order and its outbox row are two writes.
    TornOutbox,
    /// An outbox row is removed before it is published.
    RemoveFirst,
    /// An order that is being cancelled is not asked for again.
    AskOnce,
}

const FAULT: Scope = Scope { faults: 1, ..BASE };
const CANCELLED: Scope = Scope { cancellations: 1, ..BASE };

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::UnconditionalPayment,
        Self::ChargeWithoutLookup,
        Self::ConfirmBeforeStoring,
        Self::VoidWithoutCancelling,
        Self::DeclineWithoutCancelling,
        Self::NoTombstone,
        Self::UnconditionalReservation,
        Self::UnconditionalStock,
        Self::ReleaseOnWish,
        Self::IgnoreLeases,
        Self::UnconditionalNote,
        Self::UnconditionalGiveUp,
        Self::AcknowledgeFirst,
        Self::IgnoreRefusedEntries,
        Self::FailureAsSuccess,
        Self::UnconditionalOrder,
        Self::TornOutbox,
        Self::RemoveFirst,
        Self::AskOnce,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnconditionalPayment => "unconditional-payment",
            Self::ChargeWithoutLookup => "charge-without-lookup",
            Self::ConfirmBeforeStoring => "confirm-before-storing",
            Self::VoidWithoutCancelling => "void-without-cancelling",
            Self::DeclineWithoutCancelling => "decline-without-cancelling",
            Self::NoTombstone => "no-tombstone",
            Self::UnconditionalReservation => "unconditional-reservation",
            Self::UnconditionalStock => "unconditional-stock",
            Self::ReleaseOnWish => "release-on-wish",
            Self::IgnoreLeases => "ignore-leases",
            Self::UnconditionalNote => "unconditional-note",
            Self::UnconditionalGiveUp => "unconditional-give-up",
            Self::AcknowledgeFirst => "acknowledge-first",
            Self::IgnoreRefusedEntries => "ignore-refused-entries",
            Self::FailureAsSuccess => "failure-as-success",
            Self::UnconditionalOrder => "unconditional-order",
            Self::TornOutbox => "torn-outbox",
            Self::RemoveFirst => "remove-first",
            Self::AskOnce => "ask-once",
        }
    }

    /// What is off.
    pub fn what_is_off(self) -> &'static str {
        match self {
            Self::UnconditionalPayment => "a payment's record is written over whatever it says",
            Self::ChargeWithoutLookup => "a second attempt makes another PaymentIntent instead of asking",
            Self::ConfirmBeforeStoring => "a PaymentIntent is confirmed before its id is in the record",
            Self::VoidWithoutCancelling => "voided without cancelling at the provider",
            Self::DeclineWithoutCancelling => "declined without cancelling at the provider",
            Self::NoTombstone => "releasing a reservation that is not there leaves nothing",
            Self::UnconditionalReservation => "a reservation is written over whatever it says",
            Self::UnconditionalStock => "stock is taken without looking whether there is enough",
            Self::ReleaseOnWish => "stock is released on the wish to cancel",
            Self::IgnoreLeases => "a claim is taken while its owner is at it",
            Self::UnconditionalNote => "a mail is noted as sent by somebody who lost the claim",
            Self::UnconditionalGiveUp => "a claim is given up by somebody who lost it",
            Self::AcknowledgeFirst => "acknowledged before published",
            Self::IgnoreRefusedEntries => "an entry that the bus refused counts as published",
            Self::FailureAsSuccess => "a record that failed is answered as a success",
            Self::UnconditionalOrder => "an order is written over whatever it says",
            Self::TornOutbox => "the order and its outbox row are two writes",
            Self::RemoveFirst => "an outbox row is removed before it is published",
            Self::AskOnce => "an order that is being cancelled is not asked for again",
        }
    }

    /// The property that breaks.
    pub fn breaks(self) -> Property {
        match self {
            Self::ChargeWithoutLookup | Self::ConfirmBeforeStoring => Property::OneCapture,
            Self::VoidWithoutCancelling | Self::DeclineWithoutCancelling | Self::NoTombstone => {
                Property::RecordsAgree
            }
            Self::UnconditionalReservation => Property::StockIsReserved,
            Self::UnconditionalStock => Property::StockIsConserved,
            Self::ReleaseOnWish => Property::CapturedIsHeld,
            Self::IgnoreLeases => Property::OneMail,
            Self::AcknowledgeFirst | Self::IgnoreRefusedEntries | Self::FailureAsSuccess => {
                Property::NothingHangs
            }
            Self::UnconditionalPayment
            | Self::UnconditionalNote
            | Self::UnconditionalGiveUp
            | Self::UnconditionalOrder => Property::FinalStays,
            Self::TornOutbox | Self::RemoveFirst => Property::EventIsNotLost,
            Self::AskOnce => Property::OrdersEnd,
        }
    }

    /// Where it is looked for. Without the mutation, every property holds there.
    pub fn scope(self) -> Scope {
        let scope = match self {
            Self::UnconditionalPayment | Self::NoTombstone | Self::ReleaseOnWish => CANCELLED,
            Self::VoidWithoutCancelling => Scope { faults: 1, kinds: &[Kind::Stall], ..CANCELLED },
            Self::DeclineWithoutCancelling => {
                Scope { cards: &[Card::Succeeds, Card::Declines], kinds: &[Kind::Stall], ..FAULT }
            }
            Self::UnconditionalReservation => Scope { stock: [2, 2], ..FAULT },
            Self::UnconditionalStock => Scope { orders: &[[1, 0], [1, 1]], without: AFTER_RESERVING, ..BASE },
            Self::UnconditionalGiveUp => Scope { faults: 2, kinds: &[Kind::Stall, Kind::Lost], ..BASE },
            Self::AskOnce => Scope { faults: 2, kinds: &[Kind::Bury], ..BASE },
            Self::UnconditionalOrder => Scope { last: &[Function::SendEmail], ..CANCELLED },
            _ => FAULT,
        };
        Scope { name: self.name(), ..scope }
    }
}

const AFTER_RESERVING: &[Function] =
    &[Function::ProcessPayment, Function::VoidPayment, Function::TrackOrder, Function::SendEmail];
