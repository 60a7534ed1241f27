//! The profile of a customer.

use domain::{Address, CustomerId, EmailAddress, PersonName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The maximum number of addresses of a profile.
pub const MAX_ADDRESSES: usize = 10;

/// The profile of a customer. It is created at the first sign-in, from the data of the sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// The id of the customer: the `sub` of the access token.
    pub id: CustomerId,
    /// The name; null until it is set.
    pub name: Option<PersonName>,
    /// The contact email address; null until it is set. It does not change the address used to sign in.
    pub email: Option<EmailAddress>,
    /// The delivery addresses.
    pub addresses: Vec<Address>,
    /// Incremented by each change. It is also the `ETag`.
    pub revision: u64,
}

impl Profile {
    /// Creates the first revision of a profile.
    pub fn new(id: CustomerId, name: Option<PersonName>, email: Option<EmailAddress>) -> Self {
        Self { id, name, email, addresses: Vec::new(), revision: 1 }
    }
}
