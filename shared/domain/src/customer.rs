//! The customer of an order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::CustomerId;
use crate::person::{EmailAddress, Language, PersonName};

/// The id of the customer that the synthetic check places orders for. These orders are processed like all
/// others but never paid, and sales figures exclude them.
pub const SYNTHETIC_CUSTOMER_ID: &str = "synthetic-customer";

/// The customer of an order, as of the time when it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Customer {
    /// The id of the customer.
    pub id: CustomerId,
    /// The name of the customer.
    pub name: PersonName,
    /// The e-mail address of the customer.
    pub email: EmailAddress,
    /// The billing address, if the customer gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The preferred language, if the customer gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_redacts_personal_data() {
        let customer: Customer =
            serde_json::from_str(r#"{"id":"cust-1","name":"Ada Lovelace","email":"ada@example.com"}"#)
                .unwrap();
        let shown = format!("{customer:?} {:?}", Some(&customer.email));
        assert!(shown.contains("cust-1") && shown.contains("redacted"));
        assert!(!shown.contains("Ada") && !shown.contains("example.com"), "{shown}");
    }
}
