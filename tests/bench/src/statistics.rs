//! Percentiles, ratios and their formats, in integers.

use std::time::Duration;

/// The percentile of the values by the nearest-rank method; zero if there are none.
pub(crate) fn percentile(values: impl IntoIterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<Duration> = values.into_iter().collect();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The 50th percentile.
pub(crate) fn median(values: impl IntoIterator<Item = Duration>) -> Duration {
    percentile(values, 50)
}

/// The ratio of `value` to `unit` in hundredths, rounded; zero if `unit` is zero.
pub(crate) fn hundredths(value: u128, unit: u128) -> u128 {
    (value * 100 + unit / 2).checked_div(unit).unwrap_or_default()
}

/// Formats hundredths as a decimal number: `123` → `1.23`.
pub(crate) fn decimal(hundredths: u128) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Formats bytes as MB (1,000,000 bytes) with two decimal places.
pub(crate) fn megabytes(bytes: u64) -> String {
    decimal(hundredths(bytes.into(), 1_000_000))
}

/// Formats a duration as milliseconds with two decimal places: `1.23`.
pub(crate) fn milliseconds(time: Duration) -> String {
    decimal(hundredths(time.as_nanos(), 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values = ms(&[50, 15, 40, 20, 35]);
        let at = |percent| percentile(values.clone(), percent).as_millis();
        assert_eq!([at(0), at(5), at(30), at(40), at(50), at(100)], [15, 15, 20, 20, 35, 50]);
        assert_eq!(percentile(ms(&[7]), 99), Duration::from_millis(7));
        assert_eq!(percentile([], 50), Duration::ZERO);
    }

    #[test]
    fn the_99th_percentile_of_500_values_excludes_five() {
        let values: Vec<u64> = (1..=500).collect();
        assert_eq!(percentile(ms(&values), 99), Duration::from_millis(495));
    }

    #[test]
    fn numbers_are_rounded_to_hundredths() {
        assert_eq!(milliseconds(Duration::from_micros(1_234)), "1.23");
        assert_eq!(milliseconds(Duration::from_micros(1_235)), "1.24");
        assert_eq!(milliseconds(Duration::from_micros(20)), "0.02");
        assert_eq!(decimal(hundredths(3, 2)), "1.50");
        assert_eq!(hundredths(1, 0), 0);
    }
}
