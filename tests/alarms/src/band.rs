//! The band of an anomaly detector, approximated.
//!
//! CloudWatch trains a model on up to two weeks of data, with hourly, daily and weekly patterns; it is not published. Here, the
//! band is the mean of the earlier data points plus and minus a number of standard deviations, without patterns and trends. It
//! shows that an alarm is about the right metric and in the right direction, not when a real shop would be alarmed.

/// The fewest data points from which a band is derived.
const MIN_POINTS: usize = 12;

/// The lower and the upper bound, `width` standard deviations from the mean; `None` if there are too few data points.
#[expect(clippy::cast_precision_loss, reason = "far fewer values than 2^52")]
pub fn band(earlier: &[f64], width: f64) -> Option<(f64, f64)> {
    if earlier.len() < MIN_POINTS {
        return None;
    }
    let count = earlier.len() as f64;
    let mean = earlier.iter().sum::<f64>() / count;
    let variance = earlier.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let distance = width * variance.sqrt();
    Some((mean - distance, mean + distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_surrounds_what_is_usual() {
        let usual = [8.0, 12.0].repeat(6);
        assert_eq!(band(&usual, 2.0), Some((6.0, 14.0)));
        assert_eq!(band(&usual[1..], 2.0), None);
    }
}
