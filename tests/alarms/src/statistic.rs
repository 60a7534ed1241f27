//! The statistics of a period
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>).

use anyhow::{Context, Result, bail};

/// A statistic of the values of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names of CloudWatch")]
pub enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// `p99.9`: the smallest value that as many percent of the values do not exceed. CloudWatch interpolates between
    /// its buckets, so that its result may differ a little.
    Percentile(f64),
    /// `PR(0:300)`: the percentage of the values from the first to the second number, both included.
    PercentileRank(f64, f64),
}

impl Statistic {
    /// Parses the name of a statistic.
    ///
    /// # Errors
    /// If it is none of those above.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "SampleCount" => Self::SampleCount,
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => {
                if let Some(percent) = text.strip_prefix('p') {
                    return Ok(Self::Percentile(percent.parse()?));
                }
                let range = text.strip_prefix("PR(").and_then(|rest| rest.strip_suffix(')'));
                let Some((from, to)) = range.and_then(|range| range.split_once(':')) else {
                    bail!("the statistic {text} is unknown")
                };
                Self::PercentileRank(
                    from.parse()?,
                    to.parse().context("a percentile rank needs two numbers")?,
                )
            }
        })
    }

    /// The statistic of these values; `None` if there are none.
    #[expect(clippy::cast_precision_loss, reason = "far fewer values than 2^52")]
    pub fn of(self, values: &[f64]) -> Option<f64> {
        let count = values.len() as f64;
        let sum: f64 = values.iter().sum();
        if values.is_empty() {
            return None;
        }
        Some(match self {
            Self::SampleCount => count,
            Self::Sum => sum,
            Self::Average => sum / count,
            Self::Minimum => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Maximum => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Percentile(percent) => {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                let below = |value: f64| sorted.partition_point(|other| *other <= value) as f64;
                let is_reached = |value: &f64| below(*value) >= count * percent / 100.0;
                return sorted.iter().copied().find(is_reached);
            }
            Self::PercentileRank(from, to) => {
                values.iter().filter(|value| (from..=to).contains(*value)).count() as f64 / count * 100.0
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_period() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        for (name, expected) in [
            ("SampleCount", 10.0),
            ("Sum", 55.0),
            ("Average", 5.5),
            ("Minimum", 1.0),
            ("Maximum", 10.0),
            ("p50", 5.0),
            ("p99", 10.0),
            ("PR(0:3)", 30.0),
            ("PR(2:3)", 20.0),
        ] {
            let statistic = Statistic::parse(name).unwrap();
            assert_eq!(statistic.of(&values), Some(expected), "{name}");
            assert_eq!(statistic.of(&[]), None, "{name}");
        }
        for wrong in ["Median", "PR(3)", "p"] {
            assert!(Statistic::parse(wrong).is_err(), "{wrong}");
        }
    }
}
