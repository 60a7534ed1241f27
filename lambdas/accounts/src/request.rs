//! Request bodies and their validation.

use domain::{Address, EmailAddress, PersonName};
use platform::http::input::{AddressInput, TextInput};
use platform::http::{FieldError, Problem};
use schemars::JsonSchema;

use crate::profile::{MAX_ADDRESSES, Profile};

/// The body of `PUT /me`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutProfile {
    /// Your full name.
    #[eserde(compat)]
    name: TextInput<PersonName>,
    /// Your contact email address.
    #[eserde(compat)]
    email: TextInput<EmailAddress>,
    /// Your delivery addresses.
    #[schemars(length(max = 10))]
    addresses: Vec<AddressInput>,
}

impl PutProfile {
    /// The next revision of `current`, with the values of the request.
    pub(crate) fn apply_to(&self, current: &Profile) -> Profile {
        Profile {
            id: current.id.clone(),
            name: Some(self.name.0.clone()),
            email: Some(self.email.0.clone()),
            addresses: self.addresses.iter().cloned().map(Address::from).collect(),
            revision: current.revision.saturating_add(1),
        }
    }

    /// Validates what the types of the fields do not cover: the number of addresses.
    pub(crate) fn validate(&self) -> Result<(), Problem> {
        let count = self.addresses.len();
        if count <= MAX_ADDRESSES {
            return Ok(());
        }
        let reason = format!("may have at most {MAX_ADDRESSES} addresses, has {count}");
        Err(Problem::invalid(vec![FieldError::pointer("/addresses", reason)]))
    }
}
