//! Request types shared by several services. Unlike event types they are strict: a client needs to know that
//! it misspelt a field, while an event consumer has to ignore fields that it does not know yet.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::money::{Amount, Currency};
use domain::{Address, AddressLine, CountryCode, Line, Lines, Money, PersonName, PostalCode, Quantity, Sku};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};

use super::problem::{FieldError, Problem};

/// A text that a client sends, which has to meet the current rules. The types of `domain` themselves also
/// deserialize text from before a rule, because tables and queues have it.
#[derive(Debug, Clone)]
pub struct TextInput<T>(pub T);

impl<'de, T: TryFrom<String, Error: Display>> Deserialize<'de> for TextInput<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::try_from(String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

/// The schema of the text.
impl<T: JsonSchema> JsonSchema for TextInput<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// An amount of money.
#[derive(Debug, Clone, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MoneyInput")]
pub struct MoneyInput {
    /// The amount in minor units, such as cents.
    #[eserde(compat)]
    amount: Amount,
    /// The currency code (ISO 4217).
    #[eserde(compat)]
    currency: Currency,
}

impl From<MoneyInput> for Money {
    fn from(money: MoneyInput) -> Self {
        Self { amount: money.amount, currency: money.currency }
    }
}

/// A line of an order.
#[derive(Debug, Clone, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineInput {
    /// The SKU of the product.
    #[eserde(compat)]
    sku: TextInput<Sku>,
    /// The number of units.
    #[eserde(compat)]
    quantity: Quantity,
    /// The unit price that the customer was shown.
    unit_price: MoneyInput,
}

/// Converts and validates the lines of an order.
///
/// # Errors
/// A 400 that says why the lines are not valid together.
pub fn parse_lines(lines: Vec<LineInput>) -> Result<Lines, Problem> {
    let line = |line: LineInput| Line {
        sku: line.sku.0,
        quantity: line.quantity,
        unit_price: line.unit_price.into(),
    };
    let lines: Vec<Line> = lines.into_iter().map(line).collect();
    Lines::try_from(lines).map_err(|error| Problem::invalid(vec![FieldError::pointer("/lines", error)]))
}

/// A postal address.
#[derive(Debug, Clone, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressInput {
    /// The name of the recipient.
    #[eserde(compat)]
    recipient: TextInput<PersonName>,
    /// Street and number.
    #[eserde(compat)]
    street: TextInput<AddressLine>,
    /// A floor, company or building.
    #[eserde(compat)]
    #[serde(default)]
    addition: Option<TextInput<AddressLine>>,
    /// The postal code, if the country uses them.
    #[eserde(compat)]
    #[serde(default)]
    postal_code: Option<TextInput<PostalCode>>,
    /// The city or town.
    #[eserde(compat)]
    city: TextInput<AddressLine>,
    /// The state or province, if addresses of the country include one.
    #[eserde(compat)]
    #[serde(default)]
    region: Option<TextInput<AddressLine>>,
    /// The country (ISO 3166-1 alpha-2).
    #[eserde(compat)]
    country: CountryCode,
}

impl From<AddressInput> for Address {
    fn from(input: AddressInput) -> Self {
        let AddressInput { recipient, street, addition, postal_code, city, region, country } = input;
        Self {
            recipient: recipient.0,
            street: street.0,
            addition: addition.map(|line| line.0),
            postal_code: postal_code.map(|code| code.0),
            city: city.0,
            region: region.map(|line| line.0),
            country,
        }
    }
}

/// The size and the start of a requested page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageInput<K> {
    /// The maximum number of items, 1 to [`MAX_PAGE_SIZE`].
    pub limit: u32,
    /// The key of the last item of the previous page; `None` for the first page.
    pub after: Option<K>,
}

/// The maximum number of items of a page.
pub const MAX_PAGE_SIZE: u32 = 100;
const DEFAULT_PAGE_SIZE: u32 = 20;

/// The schema of the query parameter `limit`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Limit(#[schemars(range(min = 1, max = 100))] pub u32);

/// The schema of the query parameter `cursor`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Cursor(#[schemars(length(min = 1, max = 200), regex(pattern = r"^[A-Za-z0-9_-]+$"))] pub String);

impl<K: FromStr> PageInput<K> {
    /// Parses the query parameters `limit` and `cursor`.
    ///
    /// # Errors
    /// Every invalid parameter.
    pub fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let limit = match limit.map(str::parse::<u32>) {
            None => DEFAULT_PAGE_SIZE,
            Some(Ok(limit)) if (1..=MAX_PAGE_SIZE).contains(&limit) => limit,
            Some(_) => {
                errors.push(FieldError::parameter("limit", format!("must be 1 to {MAX_PAGE_SIZE}")));
                DEFAULT_PAGE_SIZE
            }
        };
        let after = cursor.map(decode_cursor);
        if matches!(after, Some(None)) {
            errors.push(FieldError::parameter("cursor", "must be the next_cursor of a previous page"));
        }
        if errors.is_empty() { Ok(Self { limit, after: after.flatten() }) } else { Err(errors) }
    }
}

/// Encodes the cursor of the page after `key`. It is opaque to clients, so that its content can change.
pub fn encode_cursor(key: &impl Display) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key.to_string())
}

fn decode_cursor<K: FromStr>(cursor: &str) -> Option<K> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}
