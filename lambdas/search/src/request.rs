//! Parsing and validation of the query parameters.

use std::collections::BTreeSet;

use domain::money::{Amount, Currency};
use domain::order::OrderStatus;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use platform::http::input::PageInput;
use platform::http::{CustomerScope, FieldError, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Audience;
use crate::forms::MAX_WORDS;
use crate::query::{Filters, Position, Query};
use crate::term::QueryWord;
use crate::text;

/// The maximum number of characters in `q`.
const MAX_QUERY_CHARS: usize = 200;

/// The unparsed query parameters of `GET /search/orders`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SearchQuery {
    q: Option<String>,
    status: Option<String>,
    from: Option<String>,
    to: Option<String>,
    min_amount: Option<String>,
    max_amount: Option<String>,
    currency: Option<String>,
    customer_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// The schema of `q` in the API contract.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Words(#[schemars(length(max = 200))] pub String);

/// The schema of `from` and `to` in the API contract.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct DateOrTime(
    #[schemars(length(max = 40), regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"))] pub String,
);

impl SearchQuery {
    /// Validates the parameters and returns the query, restricted to the caller's scope.
    pub(crate) fn into_query(self, scope: &CustomerScope) -> Result<Query, Problem> {
        let mut errors = Vec::new();
        let words = self.words(&mut errors);
        let page = match PageInput::<Position>::parse(self.limit.as_deref(), self.cursor.as_deref()) {
            Ok(page) => Some(page),
            Err(page_errors) => {
                errors.extend(page_errors);
                None
            }
        };
        let customer = self.customer_id.as_deref().map(|id| scope.resolve_customer(Some(id))).transpose();
        let customer = customer.unwrap_or_else(|why| {
            errors.push(FieldError::parameter("customer_id", why));
            None
        });
        let filters = self.filters(&mut errors);
        match page {
            Some(page) if errors.is_empty() => Ok(Query {
                audience: Audience::from_scope(scope, customer),
                words,
                filters,
                limit: usize::try_from(page.limit).unwrap_or(1),
                after: page.after,
            }),
            _ => Err(Problem::invalid(errors)),
        }
    }

    fn words(&self, errors: &mut Vec<FieldError>) -> BTreeSet<QueryWord> {
        let query = self.q.as_deref().unwrap_or_default();
        let length = query.chars().count();
        if length > MAX_QUERY_CHARS {
            let why = format!("must have at most {MAX_QUERY_CHARS} characters, has {length}");
            errors.push(FieldError::parameter("q", why));
            return Default::default();
        }
        let words = text::words(query).into_iter().collect::<BTreeSet<_>>().len();
        if words > MAX_WORDS {
            let why = format!("must have at most {MAX_WORDS} different words, has {words}");
            errors.push(FieldError::parameter("q", why));
        }
        QueryWord::parse_all(query)
    }

    fn filters(&self, errors: &mut Vec<FieldError>) -> Filters {
        let mut parser = ParameterParser { errors };
        let status = parser.parse("status", self.status.as_deref(), |text| {
            serde_json::from_value::<OrderStatus>(text.into()).map_err(|_| {
                "must be placed, reserved, cancelling, paid, rejected, payment_failed, cancelled or expired".to_owned()
            })
        });
        let from = parser.parse("from", self.from.as_deref(), |text| parse_time(text, false));
        let before = parser.parse("to", self.to.as_deref(), |text| parse_time(text, true));
        let currency = parser.parse("currency", self.currency.as_deref(), |text| {
            Currency::try_from(text.to_owned()).map_err(|error| error.to_string())
        });
        let min_amount = parser.parse("min_amount", self.min_amount.as_deref(), parse_amount);
        let max_amount = parser.parse("max_amount", self.max_amount.as_deref(), parse_amount);
        for (name, given) in [("min_amount", &self.min_amount), ("max_amount", &self.max_amount)] {
            if given.is_some() && self.currency.is_none() {
                parser.errors.push(FieldError::parameter(name, "requires the parameter currency"));
            }
        }
        Filters { status, from, before, currency, min_amount, max_amount }
    }
}

struct ParameterParser<'a> {
    errors: &'a mut Vec<FieldError>,
}

impl ParameterParser<'_> {
    fn parse<T>(
        &mut self,
        name: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match text.map(parse)? {
            Ok(value) => Some(value),
            Err(why) => {
                self.errors.push(FieldError::parameter(name, why));
                None
            }
        }
    }
}

/// Parses a time, or a date as the start of the day in UTC; if it `is_end` of a range, as the end of the day.
fn parse_time(text: &str, is_end: bool) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let day: Option<Date> = text.parse().ok().filter(|_| text.len() == "2026-11-25".len());
    let day = if is_end { day.and_then(|day| day.checked_add(1.day()).ok()) } else { day };
    let start = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    start
        .ok_or_else(|| "must be a date such as 2026-11-25, or a time such as 2026-11-25T10:15:30Z".to_owned())
}

fn parse_amount(text: &str) -> Result<u32, String> {
    let number: i64 =
        text.parse().map_err(|_| "must be an integer amount in minor units, such as 1250".to_owned())?;
    let amount = Amount::try_from(number).map_err(|error| error.to_string())?;
    u32::try_from(i64::from(amount)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_starts_and_ends_in_utc() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(parse_time("2026-11-25", false), Ok(time("2026-11-25T00:00:00Z")));
        assert_eq!(parse_time("2026-11-25", true), Ok(time("2026-11-26T00:00:00Z")));
        for is_end in [false, true] {
            assert_eq!(parse_time("2026-11-25T01:30:00+02:00", is_end), Ok(time("2026-11-24T23:30:00Z")));
        }
        for wrong in ["", "2026", "2026-13-01", "yesterday", "2026-11-25T10:15:30", "20261125", "9999-12-31T"]
        {
            assert!(parse_time(wrong, false).is_err(), "{wrong}");
        }
        assert!(parse_time("9999-12-31", true).is_err());
    }
}
