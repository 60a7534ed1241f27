//! Mutations, each of which switches off one protection, at a port or in the environment of the functions. The
//! functions themselves run as they ship. A test asserts that the simulation detects every mutation.

use std::collections::BTreeMap;

use domain::Sku;
use domain::payment::{Payment, PaymentState};
use domain::reservation::ProductStock;

use crate::world::World;

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
    /// An order is read with eventual consistency: for a while after a write, with its previous state.
    StaleRead,
    /// A batch is reported as a success although some of its records failed.
    ReportFailureAsSuccess,
    /// A PaymentIntent counts as cancelled although the response to its cancellation was lost.
    UnknownCountsAsCancelled,
    /// The amount to charge is that of the event, not that of the record.
    AmountFromEvent,
    /// The rules deliver events of any source.
    IgnoreEventSource,
    /// Stock is reserved at the price that the order states.
    AcceptAnyPrice,
    /// One unit of each product counts as sold out.
    UnderstateStock,
    /// Only the first attempt to charge can succeed.
    RetriedChargesFail,
    /// An email is composed without the language of the customer.
    ForgetLanguage,
    /// An invoice is written although its number is not the next one.
    InvoiceNumberWithoutCondition,
    /// An invoice is written although its order has one.
    SecondInvoiceOfOrder,
    /// An invoice is issued for a payment that failed.
    InvoiceForFailedPayment,
    /// An invoice is written without the language of the customer.
    InvoiceWithoutLanguage,
    /// An invoice is shown to whoever requests it.
    InvoiceShownToAnyone,
    /// The document of an invoice is read under a key that does not contain the order.
    DocumentOfAnotherOrder,
    /// A sale is written although it has changed since it was read.
    UnconditionalSale,
    /// The second page of a partition of the ledger lacks its first row.
    PageSkipsRow,
    /// The last part of an export is not in its file.
    ExportSkipsLastPart,
    /// The day of a report is that of UTC, not that of the shop.
    ReportInUtc,
    /// It is not known whether the email about a report was sent.
    ForgetReportEmail,
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

impl Mutation {
    /// Whether the mutation shows only with certain faults in a certain order, which random faults rarely have.
    /// The crash pass detects it.
    pub fn needs_crash_pass(self) -> bool {
        matches!(self, Self::UnknownCountsAsCancelled | Self::AmountFromEvent)
    }
}

/// Changes the stock that was read, for [`Mutation::AcceptAnyPrice`] and [`Mutation::UnderstateStock`].
pub fn distort_stock(world: &World, stock: &mut BTreeMap<Sku, ProductStock>) {
    for (sku, product) in stock {
        if world.has_mutation(Mutation::AcceptAnyPrice)
            && let Some(price) = world.observed.requested_price(sku)
        {
            product.price = price;
        }
        if world.has_mutation(Mutation::UnderstateStock) {
            product.available = product.available.saturating_sub(1);
        }
    }
}

/// Removes the PaymentIntent from a record that was read, for [`Mutation::ChargeWithoutLookup`].
pub fn forget_intent(payment: &mut Option<Payment>) {
    if let Some(Payment { state: PaymentState::Charging { intent, .. }, .. }) = payment {
        *intent = None;
    }
}
