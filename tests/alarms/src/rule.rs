//! The rules of composite alarms
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>).

use anyhow::{Result, bail, ensure};

use crate::state::State;

/// The rule of a composite alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the operators of CloudWatch")]
pub enum Rule {
    /// The named alarm is in this state.
    Is(State, String),
    Constant(bool),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Rule {
    /// Parses a rule. `AND` binds more tightly than `OR`, and `NOT` more tightly than both.
    ///
    /// # Errors
    /// If it is not a rule.
    pub fn parse(text: &str) -> Result<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut words: Vec<&str> = spaced.split_whitespace().collect();
        words.reverse();
        let rule = alternatives(&mut words)?;
        ensure!(words.is_empty(), "the rule {text:?} goes on after its end");
        Ok(rule)
    }

    /// Whether the rule holds, given the state of each alarm.
    pub fn holds(&self, state_of: &dyn Fn(&str) -> State) -> bool {
        match self {
            Self::Is(state, alarm) => state_of(alarm) == *state,
            Self::Constant(value) => *value,
            Self::Not(rule) => !rule.holds(state_of),
            Self::And(one, other) => one.holds(state_of) && other.holds(state_of),
            Self::Or(one, other) => one.holds(state_of) || other.holds(state_of),
        }
    }

    /// The names of the alarms that the rule is about.
    pub fn alarms(&self) -> Vec<&str> {
        match self {
            Self::Is(_, alarm) => vec![alarm],
            Self::Constant(_) => Vec::new(),
            Self::Not(rule) => rule.alarms(),
            Self::And(one, other) | Self::Or(one, other) => [one.alarms(), other.alarms()].concat(),
        }
    }
}

/// The words that are left, the next one last.
type Words<'a> = Vec<&'a str>;

fn alternatives(words: &mut Words<'_>) -> Result<Rule> {
    let mut rule = conjunction(words)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        rule = Rule::Or(Box::new(rule), Box::new(conjunction(words)?));
    }
    Ok(rule)
}

fn conjunction(words: &mut Words<'_>) -> Result<Rule> {
    let mut rule = operand(words)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        rule = Rule::And(Box::new(rule), Box::new(operand(words)?));
    }
    Ok(rule)
}

fn operand(words: &mut Words<'_>) -> Result<Rule> {
    let state = match words.pop() {
        Some("NOT") => return Ok(Rule::Not(Box::new(operand(words)?))),
        Some("TRUE") => return Ok(Rule::Constant(true)),
        Some("FALSE") => return Ok(Rule::Constant(false)),
        Some("(") => {
            let rule = alternatives(words)?;
            ensure!(words.pop() == Some(")"), "a parenthesis is not closed");
            return Ok(rule);
        }
        Some("ALARM") => State::Alarm,
        Some("OK") => State::Ok,
        Some("INSUFFICIENT_DATA") => State::InsufficientData,
        other => bail!("{other:?} is not a part of a rule"),
    };
    let (Some("("), Some(name), Some(")")) = (words.pop(), words.pop(), words.pop()) else {
        bail!("a state needs the name of one alarm in parentheses")
    };
    Ok(Rule::Is(state, name.trim_matches(['"', '\'']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_evaluated() {
        let state_of = |name: &str| match name {
            "raised" => State::Alarm,
            "new" => State::InsufficientData,
            _ => State::Ok,
        };
        for (rule, expected) in [
            (r#"ALARM("raised")"#, true),
            ("ALARM(raised) AND ALARM(fine)", false),
            ("ALARM(fine) AND ALARM(fine) OR ALARM(raised)", true),
            ("ALARM(fine) AND (ALARM(fine) OR ALARM(raised))", false),
            ("NOT OK(raised) AND INSUFFICIENT_DATA(new)", true),
            ("NOT TRUE OR FALSE", false),
        ] {
            assert_eq!(Rule::parse(rule).unwrap().holds(&state_of), expected, "{rule}");
        }
        assert_eq!(Rule::parse("ALARM(a) OR NOT OK(b)").unwrap().alarms(), ["a", "b"]);
        for wrong in ["", "ALARM", "ALARM(a", "(ALARM(a)", "ALARM(a) OK(b)", "RAISED(a)"] {
            assert!(Rule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
