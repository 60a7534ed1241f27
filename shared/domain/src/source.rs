//! The services that publish events.

use crate::fact::FactKind;
use crate::product::ProductFactKind;

/// Returns the service that publishes events of the type `name`, such as `order.created`; `None` if there is no such
/// type.
pub fn source_of(name: &str) -> Option<&'static str> {
    let of_orders = FactKind::ALL.iter().map(|kind| (kind.name(), kind.source()));
    let of_products = ProductFactKind::ALL.iter().map(|kind| (kind.name(), kind.source()));
    of_orders.chain(of_products).find(|(known, _)| *known == name).map(|(_, source)| source)
}
