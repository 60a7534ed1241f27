//! A customer's profile.

use domain::{Address, CustomerId, EmailAddress, PersonName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most addresses that a profile has.
pub const MOST_ADDRESSES: usize = 10;

/// What the shop knows of a customer. Made at their first sign-in, from what they signed up with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// Who: the `sub` of their tokens.
    pub id: CustomerId,
    /// How to greet them; null until they say.
    pub name: Option<PersonName>,
    /// Where they want to get mail; null until they say. They sign in with what they signed up with, whatever this is.
    pub email: Option<EmailAddress>,
    /// Where they get parcels.
    pub addresses: Vec<Address>,
    /// Goes up by one with each change. Also the `ETag`.
    pub revision: u64,
}

impl Profile {
    /// The first one of somebody.
    pub fn new(id: CustomerId, name: Option<PersonName>, email: Option<EmailAddress>) -> Self {
        Self { id, name, email, addresses: Vec::new(), revision: 1 }
    }
}
