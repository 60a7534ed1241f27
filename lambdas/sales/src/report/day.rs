//! Days in the shop's time zone. A day has 24 hours, except when the clocks change.

use anyhow::Context;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A calendar day in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct LocalDay {
    pub date: Date,
    /// The start of the day. It is not always midnight: some time zones skip that hour when the clocks
    /// change.
    pub start: Timestamp,
    /// The end of the day, exclusive: the start of the next one.
    pub end: Timestamp,
    zone: TimeZone,
}

/// An hour of local time, or the part of one that remains when the clocks change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Hour {
    pub start: Timestamp,
    /// The end, exclusive.
    pub end: Timestamp,
    /// The local time at the start, such as `02:00`. It includes the UTC offset when that time occurs twice
    /// on the day.
    pub label: String,
    /// The local time at the start, with its UTC offset (RFC 3339).
    pub local: String,
}

impl LocalDay {
    /// Creates the day with this date.
    ///
    /// # Errors
    /// When there is no such day: the date is out of range, or the time zone skipped it.
    pub fn new(date: Date, zone: TimeZone) -> anyhow::Result<Self> {
        let start_of =
            |date: Date| anyhow::Ok(date.to_zoned_datetime(zone.clone())?.start_of_day()?.timestamp());
        let (start, end) = (start_of(date)?, start_of(date.tomorrow()?)?);
        anyhow::ensure!(start < end, "{date} was left out in this time zone");
        Ok(Self { date, start, end, zone })
    }

    /// Creates the last day that ended at or before `now`.
    ///
    /// # Errors
    /// As for [`LocalDay::new`].
    pub fn yesterday(now: Timestamp, zone: TimeZone) -> anyhow::Result<Self> {
        let today = zone.to_datetime(now).date();
        Self::new(today.yesterday().context("the beginning of time")?, zone)
    }

    /// Returns the hours of the day, in order and without gaps.
    pub fn hours(&self) -> Vec<Hour> {
        let mut transitions: Vec<Timestamp> = self
            .zone
            .following(self.start)
            .map(|transition| transition.timestamp())
            .take_while(|at| *at < self.end)
            .collect();
        transitions.reverse();
        let mut hours = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let local = self.zone.to_datetime(start);
            let past_hour = i64::from(local.minute()) * 60 + i64::from(local.second());
            let full_hour =
                start.saturating_add(SignedDuration::from_secs(3600 - past_hour)).unwrap_or(self.end);
            while transitions.last().is_some_and(|at| *at <= start) {
                transitions.pop();
            }
            let end =
                [Some(full_hour), transitions.last().copied(), Some(self.end)].into_iter().flatten().min();
            let end = end.unwrap_or(self.end);
            let label = local.strftime("%H:%M").to_string();
            let offset = self.zone.to_offset(start);
            hours.push(Hour { start, end, label, local: start.display_with_offset(offset).to_string() });
            start = end;
        }
        let labels: Vec<String> = hours.iter().map(|hour| hour.label.clone()).collect();
        for hour in &mut hours {
            if labels.iter().filter(|label| **label == hour.label).count() > 1 {
                hour.label = format!("{} (UTC{})", hour.label, self.zone.to_offset(hour.start));
            }
        }
        hours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(date: &str, zone: &str) -> LocalDay {
        LocalDay::new(date.parse().unwrap(), TimeZone::get(zone).unwrap()).unwrap()
    }

    fn labels(day: &LocalDay) -> Vec<String> {
        day.hours().into_iter().map(|hour| hour.label).collect()
    }

    fn length(day: &LocalDay) -> i64 {
        day.end.duration_since(day.start).as_mins()
    }

    #[test]
    fn a_day_has_its_real_length() {
        for (date, zone, minutes, hours) in [
            ("2026-11-23", "Europe/Berlin", 24 * 60, 24),
            ("2026-03-29", "Europe/Berlin", 23 * 60, 23),
            ("2026-10-25", "Europe/Berlin", 25 * 60, 25),
            // Midnight was skipped: the day started at one o'clock.
            ("2018-11-04", "America/Sao_Paulo", 23 * 60, 23),
            ("2018-02-17", "America/Sao_Paulo", 25 * 60, 25),
            // The clocks move half an hour forward, and half an hour back.
            ("2026-10-04", "Australia/Lord_Howe", 23 * 60 + 30, 24),
            ("2026-04-05", "Australia/Lord_Howe", 24 * 60 + 30, 25),
            ("2026-06-01", "Asia/Kathmandu", 24 * 60, 24),
        ] {
            let day = day(date, zone);
            assert_eq!((length(&day), day.hours().len()), (minutes, hours), "{date} {zone}");
        }
    }

    #[test]
    fn a_skipped_hour_is_absent_and_a_repeated_hour_occurs_twice() {
        let spring = labels(&day("2026-03-29", "Europe/Berlin"));
        assert_eq!(spring[..4], ["00:00", "01:00", "03:00", "04:00"]);
        let autumn = labels(&day("2026-10-25", "Europe/Berlin"));
        assert_eq!(autumn[..5], ["00:00", "01:00", "02:00 (UTC+02)", "02:00 (UTC+01)", "03:00"]);
        let autumn = day("2026-10-25", "Europe/Berlin").hours();
        assert_eq!(autumn[2].local, "2026-10-25T02:00:00+02:00");
        assert_eq!(autumn[3].local, "2026-10-25T02:00:00+01:00");
        assert_eq!(labels(&day("2018-11-04", "America/Sao_Paulo"))[..2], ["01:00", "02:00"]);
        let sao_paulo = labels(&day("2018-02-17", "America/Sao_Paulo"));
        assert_eq!(sao_paulo[23..], ["23:00 (UTC-02)", "23:00 (UTC-03)"]);
        assert_eq!(
            labels(&day("2026-10-04", "Australia/Lord_Howe"))[..4],
            ["00:00", "01:00", "02:30", "03:00"]
        );
        let lord_howe = labels(&day("2026-04-05", "Australia/Lord_Howe"));
        assert_eq!(lord_howe[..4], ["00:00", "01:00", "01:30", "02:00"]);
    }

    #[test]
    fn a_day_that_the_time_zone_skipped_is_an_error() {
        let skipped = LocalDay::new("2011-12-30".parse().unwrap(), TimeZone::get("Pacific/Apia").unwrap());
        assert!(skipped.is_err(), "{skipped:?}");
    }

    #[test]
    fn yesterday_depends_on_the_time_zone() {
        let now: Timestamp = "2026-11-24T23:30:00Z".parse().unwrap();
        let yesterday =
            |zone| LocalDay::yesterday(now, TimeZone::get(zone).unwrap()).unwrap().date.to_string();
        assert_eq!(yesterday("UTC"), "2026-11-23");
        assert_eq!(yesterday("Europe/Berlin"), "2026-11-24");
        assert_eq!(yesterday("America/New_York"), "2026-11-23");
    }

    proptest! {
        /// In every time zone, each point in time is in exactly one hour of exactly one day.
        #[test]
        fn days_and_hours_are_contiguous(
            zone in proptest::sample::select(vec![
                "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
                "America/St_Johns", "Africa/Casablanca", "Pacific/Chatham", "Asia/Tehran", "America/Havana",
            ]),
            offset in 0..8_000_i64,
        ) {
            let first: Date = "2010-01-01".parse().unwrap();
            let date = first.checked_add(jiff::Span::new().days(offset)).unwrap();
            let zone = TimeZone::get(zone).unwrap();
            let day = LocalDay::new(date, zone.clone()).unwrap();
            let tomorrow = LocalDay::new(date.tomorrow().unwrap(), zone.clone()).unwrap();
            prop_assert_eq!(day.end, tomorrow.start);
            let hours = day.hours();
            prop_assert_eq!(hours[0].start, day.start);
            prop_assert_eq!(hours[hours.len() - 1].end, day.end);
            for hour in &hours {
                prop_assert!(hour.start < hour.end && hour.end.duration_since(hour.start).as_secs() <= 3600);
            }
            for pair in hours.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            let mut labels: Vec<&str> = hours.iter().map(|hour| hour.label.as_str()).collect();
            labels.sort_unstable();
            labels.dedup();
            prop_assert_eq!(labels.len(), hours.len());
        }
    }
}
