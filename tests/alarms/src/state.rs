//! How the state of an alarm follows from the data points of its evaluation range
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>).

use anyhow::{Result, bail};

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of CloudWatch")]
pub enum State {
    Ok,
    Alarm,
    InsufficientData,
}

/// How missing data points are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of CloudWatch")]
pub enum Missing {
    Breaching,
    NotBreaching,
    Ignore,
    Missing,
}

impl Missing {
    /// Parses `TreatMissingData`.
    ///
    /// # Errors
    /// If it is not a value of CloudWatch.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "breaching" => Self::Breaching,
            "notBreaching" => Self::NotBreaching,
            "ignore" => Self::Ignore,
            "missing" => Self::Missing,
            _ => bail!("TreatMissingData: {text} is unknown"),
        })
    }
}

/// How many data points an alarm needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluation {
    /// The number of periods that are evaluated.
    pub periods: usize,
    /// The number of breaching data points in them that raise the alarm.
    pub to_alarm: usize,
    /// How missing data points are treated.
    pub missing: Missing,
}

impl Evaluation {
    /// The number of data points that are read. CloudWatch reads some more than it evaluates, in case some are missing; how
    /// many is not documented except by its examples, which read five for three.
    pub fn range(self) -> usize {
        self.periods + 2
    }

    /// The next state of an alarm, of which `points` are the data points, the oldest first: whether each is breaching, or
    /// `None` if it is missing.
    pub fn next(self, points: &[Option<bool>], current: State) -> State {
        let existing: Vec<bool> = points.iter().copied().flatten().collect();
        let is_raised = |breaching: usize| if breaching >= self.to_alarm { State::Alarm } else { State::Ok };
        let count = |points: &[bool]| points.iter().filter(|is_breaching| **is_breaching).count();
        // Enough data points exist: what is missing does not matter.
        if let Some(start) = existing.len().checked_sub(self.periods) {
            return is_raised(count(existing.get(start..).unwrap_or_default()));
        }
        let filled = self.periods - existing.len();
        match self.missing {
            Missing::Breaching => is_raised(count(&existing) + filled),
            Missing::NotBreaching => is_raised(count(&existing)),
            Missing::Ignore if existing.is_empty() => current,
            Missing::Missing if existing.is_empty() => State::InsufficientData,
            Missing::Ignore | Missing::Missing => {
                if count(&existing) >= self.to_alarm {
                    return State::Alarm;
                }
                // The oldest data point is breaching and as old as the alarm requires, and no later one says otherwise.
                let oldest = points.iter().position(Option::is_some).unwrap_or_default();
                let is_old_enough = points.len() - oldest >= self.to_alarm;
                if count(&existing) == existing.len() && is_old_enough {
                    if self.missing == Missing::Ignore { current } else { State::Alarm }
                } else {
                    State::Ok
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of a table in the documentation: the data points, and the states by treatment, in its order `missing`,
    /// `ignore`, `breaching`, `notBreaching`. `-` retains the state.
    fn check(periods: usize, to_alarm: usize, points: &str, states: [&str; 4]) {
        let values: Vec<_> = points
            .chars()
            .map(|point| match point {
                'X' => Some(true),
                '0' => Some(false),
                _ => None,
            })
            .collect();
        let treatments = [Missing::Missing, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
        for (missing, expected) in treatments.into_iter().zip(states) {
            for current in [State::Ok, State::Alarm, State::InsufficientData] {
                let evaluation = Evaluation { periods, to_alarm, missing };
                let expected = match expected {
                    "OK" => State::Ok,
                    "ALARM" => State::Alarm,
                    "-" => current,
                    _ => State::InsufficientData,
                };
                assert_eq!(evaluation.range(), values.len());
                assert_eq!(evaluation.next(&values, current), expected, "{points} {missing:?} {current:?}");
            }
        }
    }

    #[test]
    fn three_out_of_three_as_documented() {
        check(3, 3, "0-X-X", ["OK"; 4]);
        check(3, 3, "----0", ["OK"; 4]);
        check(3, 3, "-----", ["INSUFFICIENT_DATA", "-", "ALARM", "OK"]);
        check(3, 3, "0XX-X", ["ALARM"; 4]);
        check(3, 3, "--X--", ["ALARM", "-", "ALARM", "OK"]);
    }

    #[test]
    fn two_out_of_three_as_documented() {
        check(3, 2, "0-X-X", ["ALARM"; 4]);
        check(3, 2, "00X0X", ["ALARM"; 4]);
        check(3, 2, "0-X--", ["OK", "OK", "ALARM", "OK"]);
        check(3, 2, "----0", ["OK", "OK", "ALARM", "OK"]);
        check(3, 2, "---X-", ["ALARM", "-", "ALARM", "OK"]);
    }

    /// A single breaching data point that is recent does not raise an alarm yet: the next ones may not breach.
    #[test]
    fn one_recent_data_point_is_not_enough() {
        check(3, 3, "----X", ["OK", "OK", "ALARM", "OK"]);
    }
}
