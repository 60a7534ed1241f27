//! What clients send, checked field by field.

use domain::{Address, EmailAddress, PersonName};
use platform::http::input::AddressInput;
use platform::http::{FieldError, Problem};
use schemars::JsonSchema;

use crate::profile::{MOST_ADDRESSES, Profile};

/// The body of `PUT /me`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutProfile {
    /// How to greet you.
    #[eserde(compat)]
    name: PersonName,
    /// Where you want to get mail.
    #[eserde(compat)]
    email: EmailAddress,
    /// Where you get parcels.
    #[schemars(length(max = 10))]
    addresses: Vec<AddressInput>,
}

impl PutProfile {
    /// The profile behind `before` that is asked for.
    pub(crate) fn after(&self, before: &Profile) -> Profile {
        Profile {
            id: before.id.clone(),
            name: Some(self.name.clone()),
            email: Some(self.email.clone()),
            addresses: self.addresses.iter().cloned().map(Address::from).collect(),
            revision: before.revision.saturating_add(1),
        }
    }

    /// What no type of a field can say.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let count = self.addresses.len();
        if count <= MOST_ADDRESSES {
            return Ok(());
        }
        let why = format!("may have {MOST_ADDRESSES} addresses at most, has {count}");
        Err(Problem::invalid(vec![FieldError::pointer("/addresses", why)]))
    }
}
