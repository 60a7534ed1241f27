//! Metric math, as far as the alarms use it
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>).

use anyhow::{Context, Result, bail, ensure};

/// An expression over data points of one period.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A constant, such as `100`.
    Number(f64),
    /// The metric or expression with this id.
    Id(String),
    /// An arithmetic operation: `+`, `-`, `*` or `/`. Without both operands, or divided by zero, there is no data point.
    Operation(char, Box<Self>, Box<Self>),
    /// `FILL(id, number)`: the number if the data point is missing.
    Fill(Box<Self>, f64),
    /// `ANOMALY_DETECTION_BAND(id, width)`: see [`crate::band`].
    Band(String, f64),
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// If it is none, or uses other functions.
    pub fn parse(text: &str) -> Result<Self> {
        let mut tokens = tokens(text);
        tokens.reverse();
        let parsed = sum(&mut tokens).with_context(|| format!("the expression {text:?}"))?;
        ensure!(tokens.is_empty(), "the expression {text:?} goes on after its end");
        Ok(parsed)
    }

    /// The data point, given those of the ids. A band has none of its own.
    pub fn value(&self, of: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Id(id) => of(id),
            Self::Fill(inner, number) => Some(inner.value(of).unwrap_or(*number)),
            Self::Band(..) => None,
            Self::Operation(operator, left, right) => {
                let (left, right) = (left.value(of)?, right.value(of)?);
                let value = match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ => left / right,
                };
                value.is_finite().then_some(value)
            }
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut is_word = false;
    for letter in text.chars() {
        let continues = letter.is_alphanumeric() || letter == '_' || letter == '.';
        match tokens.last_mut() {
            Some(word) if is_word && continues => word.push(letter),
            _ if letter.is_whitespace() => {}
            _ => tokens.push(letter.to_string()),
        }
        is_word = continues;
    }
    tokens
}

/// The tokens that are left, the next one last.
type Tokens = Vec<String>;

fn operations(
    tokens: &mut Tokens,
    operators: [char; 2],
    operand: fn(&mut Tokens) -> Result<Expression>,
) -> Result<Expression> {
    let mut left = operand(tokens)?;
    while let Some(operator) =
        tokens.last().and_then(|token| operators.into_iter().find(|it| token == &it.to_string()))
    {
        tokens.pop();
        left = Expression::Operation(operator, Box::new(left), Box::new(operand(tokens)?));
    }
    Ok(left)
}

fn sum(tokens: &mut Tokens) -> Result<Expression> {
    operations(tokens, ['+', '-'], product)
}

fn product(tokens: &mut Tokens) -> Result<Expression> {
    operations(tokens, ['*', '/'], operand)
}

fn operand(tokens: &mut Tokens) -> Result<Expression> {
    let token = tokens.pop().context("an operand is missing")?;
    match token.as_str() {
        "(" => {
            let inner = sum(tokens)?;
            expect(tokens, ")")?;
            Ok(inner)
        }
        "FILL" | "ANOMALY_DETECTION_BAND" => {
            expect(tokens, "(")?;
            let inner = sum(tokens)?;
            expect(tokens, ",")?;
            let number = tokens.pop().context("a number is missing")?.parse()?;
            expect(tokens, ")")?;
            match inner {
                _ if token == "FILL" => Ok(Expression::Fill(Box::new(inner), number)),
                Expression::Id(id) => Ok(Expression::Band(id, number)),
                _ => bail!("a band needs an id"),
            }
        }
        // Ids begin with a lower-case letter.
        id if id.starts_with(|first: char| first.is_ascii_lowercase()) => Ok(Expression::Id(token)),
        number => Ok(Expression::Number(number.parse().with_context(|| format!("{number:?} is unknown"))?)),
    }
}

fn expect(tokens: &mut Tokens, wanted: &str) -> Result<()> {
    let found = tokens.pop();
    ensure!(found.as_deref() == Some(wanted), "{wanted} is missing");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        let of = |id: &str| match id {
            "m1" => Some(6.0),
            "m2" => Some(2.0),
            _ => None,
        };
        for (text, expected) in [
            ("m1 / m2 * 100", Some(300.0)),
            ("100 * m2 + (100 - m1)", Some(294.0)),
            ("m1 - m2 - 1", Some(3.0)),
            ("m1 + missing", None),
            ("m1 / (m2 - 2)", None),
            ("FILL(missing, 0) + m2", Some(2.0)),
            ("FILL(m1, 0)", Some(6.0)),
        ] {
            assert_eq!(Expression::parse(text).unwrap().value(&of), expected, "{text}");
        }
        assert_eq!(
            Expression::parse("ANOMALY_DETECTION_BAND(m1, 3)").unwrap(),
            Expression::Band("m1".into(), 3.0)
        );
        for wrong in ["", "m1 +", "(m1", "SEARCH(m1, 1)", "m1 m2", "FILL(m1)"] {
            assert!(Expression::parse(wrong).is_err(), "{wrong}");
        }
    }
}
