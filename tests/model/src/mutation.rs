//! Protections that can be switched off, to see that the checker notices.

/// One protection off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    UnconditionalPayment,
    NoTombstone,
    ChargeWithoutLookup,
    ConfirmBeforeStoring,
    VoidWithoutCancelling,
    DeclineWithoutCancelling,
    IgnoreLeases,
    UnconditionalNote,
    UnconditionalGiveUp,
    AcknowledgeFirst,
    IgnoreRefusedEntries,
    FailureAsSuccess,
    ReleaseOnWish,
    UnconditionalOrder,
    TornOutbox,
    RemoveFirst,
    UnconditionalReservation,
    UnconditionalStock,
    AskOnce,
}
