//! Medians and the like, in whole numbers.

use std::time::Duration;

/// The value that `percent` of all values do not exceed (nearest rank); zero of none.
pub(crate) fn percentile(values: impl IntoIterator<Item = Duration>, percent: usize) -> Duration {
    let mut values: Vec<Duration> = values.into_iter().collect();
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The middle value.
pub(crate) fn median(values: impl IntoIterator<Item = Duration>) -> Duration {
    percentile(values, 50)
}

/// How often `one` holds `unit`, in hundredths, rounded.
pub(crate) fn hundredths(one: u128, unit: u128) -> u128 {
    (one * 100 + unit / 2).checked_div(unit).unwrap_or_default()
}

/// `123` → `1.23`.
pub(crate) fn decimal(hundredths: u128) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Millions of bytes with two digits.
pub(crate) fn megabytes(bytes: u64) -> String {
    decimal(hundredths(bytes.into(), 1_000_000))
}

/// Milliseconds with two digits: `1.23`.
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
        let of = |percent| percentile(values.clone(), percent).as_millis();
        assert_eq!([of(0), of(5), of(30), of(40), of(50), of(100)], [15, 15, 20, 20, 35, 50]);
        assert_eq!(percentile(ms(&[7]), 99), Duration::from_millis(7));
        assert_eq!(percentile([], 50), Duration::ZERO);
    }

    #[test]
    fn the_99th_of_500_leaves_five_out() {
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
