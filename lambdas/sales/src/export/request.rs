//! Validation of the request body.

use std::collections::BTreeSet;

use domain::order::OrderStatus;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use platform::http::{FieldError, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ExportRequest, Format};

/// The maximum period: a leap year, plus the hour that a change of the clocks may add.
const MAX_PERIOD: SignedDuration = SignedDuration::from_hours(366 * 24 + 1);

/// The parameters of a new export.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateExport {
    /// Start of the period, inclusive: a date in the shop's time zone, such as 2026-11-01, or a time (RFC
    /// 3339).
    #[eserde(compat)]
    #[schemars(extend("examples" = ["2024-11-01", "2024-11-01T08:00:00Z"]))]
    from: DateOrTime,
    /// End of the period: a date, inclusive, or a time, exclusive. At most one year after `from`.
    #[eserde(compat)]
    #[schemars(extend("examples" = ["2024-11-30", "2024-11-30T18:00:00Z"]))]
    to: DateOrTime,
    /// Include only orders with one of these statuses. If omitted, all orders are included.
    #[eserde(compat)]
    #[serde(default)]
    #[schemars(length(min = 1))]
    statuses: Option<Vec<OrderStatus>>,
    /// Format of the file.
    #[eserde(compat)]
    format: Format,
}

/// A date or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
#[schemars(extend("minLength" = 10, "maxLength" = 40, "pattern" = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][ -~]+)?$"))]
enum DateOrTime {
    Date(Date),
    Time(Timestamp),
}

impl TryFrom<String> for DateOrTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = if text.len() == 10 {
            // `jiff` accepts other notations as well; only this one is allowed.
            text.parse().ok().filter(|day: &Date| day.to_string() == text).map(Self::Date)
        } else {
            text.parse().ok().filter(|_| is_rfc_3339(&text)).map(Self::Time)
        };
        parsed.ok_or_else(|| {
            "must be a date such as 2026-11-01, or a time such as 2026-11-01T08:00:00Z (RFC 3339)".to_owned()
        })
    }
}

/// Whether `text`, which `jiff` accepts as a time, starts like RFC 3339 and has at most 40 printable
/// characters. `jiff` accepts other notations as well.
fn is_rfc_3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_day = |day: &[u8]| {
        day.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    bytes.len() <= 40
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && bytes.first_chunk::<10>().is_some_and(|day| is_day(day))
        && matches!(bytes.get(10), Some(b'T' | b't' | b' '))
}

impl CreateExport {
    /// Validates the parameters. Dates are in the time zone `zone`.
    pub(crate) fn validate(self, zone: &TimeZone, now: Timestamp) -> Result<ExportRequest, Problem> {
        let Self { from, to, statuses, format } = self;
        let mut errors = Vec::new();
        let start = |day: Date| day.to_zoned_datetime(zone.clone()).map(|start| start.timestamp());
        let from = match from {
            DateOrTime::Time(at) => Some(at),
            DateOrTime::Date(day) => start(day).ok(),
        };
        let until = match to {
            DateOrTime::Time(at) => Some(at),
            DateOrTime::Date(day) => day.tomorrow().and_then(start).ok(),
        };
        match (from, until) {
            (Some(from), Some(until)) if until <= from => {
                errors.push(FieldError::pointer("/to", "must be after from"));
            }
            (Some(from), Some(until)) if until.duration_since(from) > MAX_PERIOD => {
                errors.push(FieldError::pointer(
                    "/to",
                    "must be at most a year after from: request one year at a time",
                ));
            }
            (None, _) => errors.push(FieldError::pointer("/from", "is out of range")),
            (_, None) => errors.push(FieldError::pointer("/to", "is out of range")),
            _ => {}
        }
        if from.is_some_and(|from| from >= now) {
            errors.push(FieldError::pointer("/from", "must be in the past"));
        }
        if statuses.as_ref().is_some_and(Vec::is_empty) {
            let detail = "must contain at least one status; omit it for all";
            errors.push(FieldError::pointer("/statuses", detail));
        }
        match (from, until) {
            (Some(from), Some(until)) if errors.is_empty() => {
                let statuses: BTreeSet<OrderStatus> = statuses.unwrap_or_default().into_iter().collect();
                Ok(ExportRequest { from, until, statuses, format })
            }
            _ => Err(Problem::invalid(errors)),
        }
    }
}
