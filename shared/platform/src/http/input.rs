//! Parts of requests that more than one service takes. Strict, unlike the events: a client that misspells a
//! field wants to hear of it, while a consumer has to live with fields that it does not know yet.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::address::{AddressLine, CountryCode, PostalCode};
use domain::money::{Amount, Currency};
use domain::order::Quantity;
use domain::{Address, Line, Lines, Money, PersonName, Sku};
use schemars::JsonSchema;

use super::problem::{FieldError, Problem};

/// A sum of money.
#[derive(Debug, Clone, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MoneyInput")]
pub struct MoneyInput {
    /// In minor units: cents.
    #[eserde(compat)]
    amount: Amount,
    /// ISO 4217.
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
    /// Which product.
    #[eserde(compat)]
    sku: Sku,
    /// How many pieces.
    #[eserde(compat)]
    quantity: Quantity,
    /// The price of one, as the customer was shown it.
    unit_price: MoneyInput,
}

/// The lines of an order.
///
/// # Errors
/// A 400 that says why they do not make one.
pub fn parse_lines(lines: Vec<LineInput>) -> Result<Lines, Problem> {
    let line =
        |line: LineInput| Line { sku: line.sku, quantity: line.quantity, unit_price: line.unit_price.into() };
    let lines: Vec<Line> = lines.into_iter().map(line).collect();
    Lines::try_from(lines).map_err(|error| Problem::invalid(vec![FieldError::pointer("/lines", error)]))
}

/// An address.
#[derive(Debug, Clone, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressInput {
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

impl From<AddressInput> for Address {
    fn from(input: AddressInput) -> Self {
        let AddressInput { recipient, street, addition, postal_code, city, region, country } = input;
        Self { recipient, street, addition, postal_code, city, region, country }
    }
}

/// How long a page is, and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageInput<K> {
    /// 1 to [`MAX_PAGE_SIZE`].
    pub limit: u32,
    /// Behind what, if not at the beginning.
    pub after: Option<K>,
}

/// The most that one page holds.
pub const MAX_PAGE_SIZE: u32 = 100;
const DEFAULT_PAGE_SIZE: u32 = 20;

/// What the contract says of `limit`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Limit(#[schemars(range(min = 1, max = 100))] pub u32);

/// What the contract says of `cursor`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Cursor(#[schemars(length(min = 1, max = 200), regex(pattern = r"^[A-Za-z0-9_-]+$"))] pub String);

impl<K: FromStr> PageInput<K> {
    /// From the parameters `limit` and `cursor`.
    ///
    /// # Errors
    /// All that is wrong with them.
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
            errors.push(FieldError::parameter("cursor", "must be the next_cursor of another page"));
        }
        if errors.is_empty() { Ok(Self { limit, after: after.flatten() }) } else { Err(errors) }
    }
}

/// The cursor of the page behind `key`. Opaque to clients, so that what is in it can change.
pub fn encode_cursor(key: &impl Display) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key.to_string())
}

fn decode_cursor<K: FromStr>(cursor: &str) -> Option<K> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}
