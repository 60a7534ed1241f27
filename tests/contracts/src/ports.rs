//! The list of all ports with a contract.

/// Expands `$expand` with the list of all contract suites and of the adapters that each checks.
///
/// The tests of the in-memory and of the real adapters are generated from it: a new suite needs a world in both. The
/// architecture check `contracts` rejects an adapter with a conditional write that is not in the list.
#[macro_export]
macro_rules! for_each_port {
    ($expand:ident) => {
        $expand! {
            bus => ["shared/aws_events/src/lib.rs"],
            deliveries => ["lambdas/partners/src/adapters/deliveries.rs"],
            exports => ["lambdas/sales/src/adapters/exports.rs"],
            idempotency => ["shared/aws/src/idempotency.rs"],
            images => ["lambdas/media/src/adapters/images.rs"],
            import_stock => ["lambdas/inventory/src/adapters/stock.rs"],
            imports => ["lambdas/inventory/src/adapters/imports.rs"],
            invoices => ["lambdas/invoices/src/adapters/invoices.rs"],
            ledger => ["lambdas/sales/src/adapters/ledger.rs"],
            objects => ["shared/aws_objects/src/lib.rs"],
            orders => ["lambdas/orders/src/adapters/orders.rs", "lambdas/orders/src/adapters/outbox.rs"],
            payments => ["lambdas/payments/src/adapters/payments.rs"],
            products => ["lambdas/inventory/src/adapters/products.rs"],
            profiles => ["lambdas/accounts/src/adapters/profiles.rs"],
            provider => ["lambdas/payments/src/adapters/stripe.rs"],
            quarantine => ["lambdas/media/src/adapters/quarantine.rs"],
            queue => ["shared/aws/src/queue.rs"],
            reports => ["lambdas/operations/src/adapters/reports.rs"],
            reservations => ["lambdas/inventory/src/adapters/reservations.rs"],
            search_index => ["lambdas/search/src/postings/mod.rs"],
            search_rows => ["lambdas/search/src/adapters/rows.rs"],
            subscriptions => ["lambdas/partners/src/adapters/partners.rs"],
        }
    };
}

/// A contract suite and the real adapters that it checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The module of the suite in this crate.
    pub suite: &'static str,
    /// The names of its contracts.
    pub contracts: &'static [&'static str],
    /// The files of the adapters, by path in the repository.
    pub adapters: &'static [&'static str],
}

macro_rules! list {
    ($($suite:ident => [$($adapter:literal),+ $(,)?],)+) => {
        /// All ports with a contract.
        pub const PORTS: &[Port] = &[
            $(Port {
                suite: stringify!($suite),
                contracts: $crate::$suite::CONTRACTS,
                adapters: &[$($adapter),+],
            },)+
        ];
    };
}
for_each_port!(list);
