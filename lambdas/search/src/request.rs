//! What clients ask, checked parameter by parameter.

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
use crate::query::{Filters, Position, Query};
use crate::term::Wanted;

/// The most letters of `q`.
const LONGEST_QUERY: usize = 200;
/// The most words in `q`: each costs a read.
const MOST_WORDS: usize = 8;

/// The query of `GET /search/orders`, as it came.
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

/// What the contract says of `q`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Words(#[schemars(length(max = 200))] pub String);

/// What the contract says of `from` and `to`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct DateOrTime(
    #[schemars(length(max = 40), regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"))] pub String,
);

impl SearchQuery {
    /// The search that a caller asks for.
    pub(crate) fn read(self, scope: &CustomerScope) -> Result<Query, Problem> {
        let mut errors = Vec::new();
        let words = self.words(&mut errors);
        let page = match PageInput::<Position>::parse(self.limit.as_deref(), self.cursor.as_deref()) {
            Ok(page) => Some(page),
            Err(wrong) => {
                errors.extend(wrong);
                None
            }
        };
        let customer =
            self.customer_id.as_deref().map(|named| scope.resolve_customer(Some(named))).transpose();
        let customer = customer.unwrap_or_else(|why| {
            errors.push(FieldError::parameter("customer_id", why));
            None
        });
        let filters = self.filters(&mut errors);
        match page {
            Some(page) if errors.is_empty() => Ok(Query {
                audience: Audience::of(scope, customer),
                words,
                filters,
                limit: usize::try_from(page.limit).unwrap_or(1),
                after: page.after,
            }),
            _ => Err(Problem::invalid(errors)),
        }
    }

    fn words(&self, errors: &mut Vec<FieldError>) -> std::collections::BTreeSet<Wanted> {
        let text = self.q.as_deref().unwrap_or_default();
        let length = text.chars().count();
        if length > LONGEST_QUERY {
            let why = format!("may have at most {LONGEST_QUERY} characters, has {length}");
            errors.push(FieldError::parameter("q", why));
            return Default::default();
        }
        let words = Wanted::in_query(text);
        if words.len() > MOST_WORDS {
            let why = format!("may have at most {MOST_WORDS} different words, has {}", words.len());
            errors.push(FieldError::parameter("q", why));
        }
        words
    }

    fn filters(&self, errors: &mut Vec<FieldError>) -> Filters {
        let mut read = Reader { errors };
        let status = read.parameter("status", self.status.as_deref(), |text| {
            serde_json::from_value::<OrderStatus>(text.into()).map_err(|_| {
                "must be placed, reserved, cancelling, paid, rejected, payment_failed, cancelled or expired".to_owned()
            })
        });
        let from = read.parameter("from", self.from.as_deref(), |text| moment(text, false));
        let before = read.parameter("to", self.to.as_deref(), |text| moment(text, true));
        let currency = read.parameter("currency", self.currency.as_deref(), |text| {
            Currency::try_from(text.to_owned()).map_err(|error| error.to_string())
        });
        let min_amount = read.parameter("min_amount", self.min_amount.as_deref(), amount);
        let max_amount = read.parameter("max_amount", self.max_amount.as_deref(), amount);
        for (name, given) in [("min_amount", &self.min_amount), ("max_amount", &self.max_amount)] {
            if given.is_some() && self.currency.is_none() {
                read.errors.push(FieldError::parameter(name, "needs currency: say what it is counted in"));
            }
        }
        Filters { status, from, before, currency, min_amount, max_amount }
    }
}

struct Reader<'a> {
    errors: &'a mut Vec<FieldError>,
}

impl Reader<'_> {
    fn parameter<T>(
        &mut self,
        name: &str,
        text: Option<&str>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match text.map(read)? {
            Ok(value) => Some(value),
            Err(why) => {
                self.errors.push(FieldError::parameter(name, why));
                None
            }
        }
    }
}

/// A time, or the start of a day in UTC; the day's end where it `ends` a range.
fn moment(text: &str, ends: bool) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let day: Option<Date> = text.parse().ok().filter(|_| text.len() == "2026-11-25".len());
    let day = if ends { day.and_then(|day| day.checked_add(1.day()).ok()) } else { day };
    let start = day.and_then(|day| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    start.ok_or_else(|| "must be a day such as 2026-11-25, or a time such as 2026-11-25T10:15:30Z".to_owned())
}

fn amount(text: &str) -> Result<u32, String> {
    let number: i64 =
        text.parse().map_err(|_| "must be a whole number of minor units, such as 1250".to_owned())?;
    let amount = Amount::try_from(number).map_err(|error| error.to_string())?;
    u32::try_from(i64::from(amount)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_and_ends_in_utc() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(moment("2026-11-25", false), Ok(time("2026-11-25T00:00:00Z")));
        assert_eq!(moment("2026-11-25", true), Ok(time("2026-11-26T00:00:00Z")));
        for ends in [false, true] {
            assert_eq!(moment("2026-11-25T01:30:00+02:00", ends), Ok(time("2026-11-24T23:30:00Z")));
        }
        for wrong in ["", "2026", "2026-13-01", "yesterday", "2026-11-25T10:15:30", "20261125", "9999-12-31T"]
        {
            assert!(moment(wrong, false).is_err(), "{wrong}");
        }
        assert!(moment("9999-12-31", true).is_err());
    }
}
