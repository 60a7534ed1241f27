//! What clients send, checked field by field.

use domain::address::{AddressLine, CountryCode, PostalCode};
use domain::{Address, EmailAddress, PersonName};
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

#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddressInput {
    /// Who gets what is sent there.
    #[eserde(compat)]
    recipient: PersonName,
    /// Street and number.
    #[eserde(compat)]
    street: AddressLine,
    /// A floor, a company, a building.
    #[eserde(compat)]
    #[serde(default)]
    addition: Option<AddressLine>,
    /// The postal code, where the country has them.
    #[eserde(compat)]
    #[serde(default)]
    postal_code: Option<PostalCode>,
    /// The city.
    #[eserde(compat)]
    city: AddressLine,
    /// A state or province, where addresses have one.
    #[eserde(compat)]
    #[serde(default)]
    region: Option<AddressLine>,
    /// The country (ISO 3166-1 alpha-2).
    #[eserde(compat)]
    country: CountryCode,
}

impl PutProfile {
    /// The profile behind `before` that is asked for.
    pub(crate) fn after(&self, before: &Profile) -> Profile {
        let address = |input: &AddressInput| Address {
            recipient: input.recipient.clone(),
            street: input.street.clone(),
            addition: input.addition.clone(),
            postal_code: input.postal_code.clone(),
            city: input.city.clone(),
            region: input.region.clone(),
            country: input.country.clone(),
        };
        Profile {
            id: before.id.clone(),
            name: Some(self.name.clone()),
            email: Some(self.email.clone()),
            addresses: self.addresses.iter().map(address).collect(),
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
