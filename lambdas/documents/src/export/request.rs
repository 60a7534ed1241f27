//! What clients send, checked field by field.

use std::collections::BTreeSet;

use domain::order::OrderStatus;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use platform::http::{FieldError, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Format, Wanted};

/// The longest period: a leap year, with the hour that its days may have more.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24 + 1);

/// The body of `POST /exports`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateExport {
    /// Orders placed from here on: a day of the shop's time zone, such as 2026-11-01, or a moment (RFC 3339).
    #[eserde(compat)]
    from: Moment,
    /// Up to here: a day, which is part of the period, or a moment, which is not. At most a year behind `from`.
    #[eserde(compat)]
    to: Moment,
    /// Only orders that stand so. All, where it is left out.
    #[eserde(compat)]
    #[serde(default)]
    statuses: Option<BTreeSet<OrderStatus>>,
    /// How to write them.
    #[eserde(compat)]
    format: Format,
}

/// A day or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("minLength" = 10, "maxLength" = 40, "pattern" = r"^\d{4}-\d{2}-\d{2}([Tt ].+)?$"))]
enum Moment {
    Day(Date),
    Instant(Timestamp),
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let read = if text.len() == 10 {
            text.parse().map(Self::Day).ok()
        } else {
            text.parse().map(Self::Instant).ok().filter(|_| text.len() <= 40)
        };
        read.ok_or_else(|| {
            "must be a day such as 2026-11-01, or a moment such as 2026-11-01T08:00:00Z (RFC 3339)".to_owned()
        })
    }
}

impl CreateExport {
    /// What is asked for, in a shop whose clocks show `zone`.
    pub(crate) fn checked(self, zone: &TimeZone, now: Timestamp) -> Result<Wanted, Problem> {
        let Self { from, to, statuses, format } = self;
        let mut errors = Vec::new();
        let start = |day: Date| day.to_zoned_datetime(zone.clone()).map(|start| start.timestamp());
        let from = match from {
            Moment::Instant(at) => Some(at),
            Moment::Day(day) => start(day).ok(),
        };
        let until = match to {
            Moment::Instant(at) => Some(at),
            Moment::Day(day) => day.tomorrow().and_then(start).ok(),
        };
        match (from, until) {
            (Some(from), Some(until)) if until <= from => {
                errors.push(FieldError::pointer("/to", "must be behind from"));
            }
            (Some(from), Some(until)) if until.duration_since(from) > LONGEST => {
                errors.push(FieldError::pointer(
                    "/to",
                    "must be at most a year behind from: ask for one at a time",
                ));
            }
            (None, _) => errors.push(FieldError::pointer("/from", "is at the end of time")),
            (_, None) => errors.push(FieldError::pointer("/to", "is at the end of time")),
            _ => {}
        }
        if from.is_some_and(|from| from >= now) {
            errors.push(FieldError::pointer("/from", "must be in the past"));
        }
        if statuses.as_ref().is_some_and(BTreeSet::is_empty) {
            let why = "must name at least one status: leave it out for all";
            errors.push(FieldError::pointer("/statuses", why));
        }
        match (from, until) {
            (Some(from), Some(until)) if errors.is_empty() => {
                Ok(Wanted { from, until, statuses: statuses.unwrap_or_default(), format })
            }
            _ => Err(Problem::invalid(errors)),
        }
    }
}
