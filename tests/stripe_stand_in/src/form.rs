//! Form-encoded parameters in Stripe's notation: `amount=1250`, `metadata[order_id]=…`,
//! `payment_method_types[]=card`.
//!
//! An operation removes each parameter that it reads from the form. A parameter that remains at the end is
//! unknown and is rejected, as Stripe does.

use std::collections::BTreeMap;

use crate::error::{Result, StripeError};

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// Parses a body or a query string.
    ///
    /// # Errors
    /// 400 when it is not form-encoded.
    pub fn parse(encoded: &[u8]) -> Result<Self> {
        let fields = serde_urlencoded::from_bytes(encoded).map_err(|error| {
            StripeError::invalid(format!(
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded): {error}"
            ))
        })?;
        Ok(Self { fields })
    }

    /// Returns a fingerprint that is equal for forms with the same parameters, in any order.
    pub fn fingerprint(&self) -> String {
        let mut sorted = self.fields.clone();
        sorted.sort();
        serde_urlencoded::to_string(sorted).unwrap_or_default()
    }

    /// Returns the value of a parameter without removing it from the form.
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Removes a text parameter and returns its value.
    ///
    /// # Errors
    /// 400 when the parameter is present but empty.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let value = self.peek(name).map(str::to_owned);
        self.fields.retain(|(key, _)| key != name);
        if value.as_deref() == Some("") {
            let message = format!(
                "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
            );
            return Err(StripeError::invalid(message).with_code("parameter_invalid_empty").with_param(name));
        }
        Ok(value)
    }

    /// Removes a required text parameter and returns its value.
    ///
    /// # Errors
    /// 400 when the parameter is missing or empty.
    pub fn required(&mut self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| {
            StripeError::invalid(format!("Missing required param: {name}."))
                .with_code("parameter_missing")
                .with_param(name)
        })
    }

    /// Removes an integer parameter, at least 1, and returns its value.
    ///
    /// # Errors
    /// 400 when the value is anything else.
    pub fn integer(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refuse = |message: String| {
            StripeError::invalid(message).with_code("parameter_invalid_integer").with_param(name)
        };
        match text.parse::<i128>().map(u64::try_from) {
            Ok(Ok(number)) if number >= 1 => Ok(Some(number)),
            Ok(_) => Err(refuse("This value must be greater than or equal to 1.".to_owned())),
            Err(_) => Err(refuse(format!("Invalid integer: {text}"))),
        }
    }

    /// Removes a parameter that is `true` or `false` and returns its value.
    ///
    /// # Errors
    /// 400 when the value is anything else.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>> {
        match self.text(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(StripeError::invalid(format!("Invalid boolean: {other}")).with_param(name)),
        }
    }

    /// Removes a parameter that has one of the given values and returns its value.
    ///
    /// # Errors
    /// 400 when the value is not in the list.
    pub fn one_of(&mut self, name: &str, words: &[&str]) -> Result<Option<String>> {
        match self.text(name)? {
            Some(word) if !words.contains(&word.as_str()) => {
                let message = format!("Invalid {name}: must be one of {}", words.join(", "));
                Err(StripeError::invalid(message).with_param(name))
            }
            word => Ok(word),
        }
    }

    /// Removes a list parameter, `name[]=a&name[]=b` or with indexes in the brackets, and returns its values.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        self.nested(name).into_iter().map(|(_, value)| value).collect()
    }

    /// Removes the metadata, `metadata[key]=value`, and returns it: at most 50 keys of up to 40 characters,
    /// with values of up to 500 (<https://docs.stripe.com/metadata>).
    ///
    /// # Errors
    /// 400 when one of these limits is exceeded.
    pub fn metadata(&mut self) -> Result<BTreeMap<String, String>> {
        let mut metadata: BTreeMap<_, _> = self.nested("metadata").into_iter().collect();
        metadata.retain(|_, value| !value.is_empty());
        if metadata.len() > 50 {
            return Err(StripeError::invalid("Metadata can have up to 50 keys.").with_param("metadata"));
        }
        for (key, value) in &metadata {
            let refuse =
                |message: &str| Err(StripeError::invalid(message).with_param(&format!("metadata[{key}]")));
            if key.chars().count() > 40 {
                return refuse("Metadata keys can have up to 40 characters.");
            }
            if value.chars().count() > 500 {
                return refuse("Metadata values can have up to 500 characters.");
            }
        }
        Ok(metadata)
    }

    /// Checks that no parameter remains. Call it last.
    ///
    /// # Errors
    /// 400 when the form has an unknown parameter.
    pub fn finish(self) -> Result<()> {
        match self.fields.first() {
            None => Ok(()),
            Some((name, _)) => Err(StripeError::invalid(format!("Received unknown parameter: {name}"))
                .with_code("parameter_unknown")
                .with_param(name)),
        }
    }

    fn nested(&mut self, name: &str) -> Vec<(String, String)> {
        let key_within =
            |field: &str| Some(field.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
        let found = self
            .fields
            .iter()
            .filter_map(|(field, value)| Some((key_within(field)?, value.clone())))
            .collect();
        self.fields.retain(|(field, _)| key_within(field).is_none());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn parses_nested_parameters() {
        let mut form = form(
            "metadata[order_id]=o-1&metadata%5Bshop%5D=tea+%26+more&payment_method_types[]=card&types[0]=a&types[1]=b",
        );
        let metadata = form.metadata().unwrap();
        assert_eq!(metadata["order_id"], "o-1");
        assert_eq!(metadata["shop"], "tea & more");
        assert_eq!(form.list("payment_method_types"), ["card"]);
        assert_eq!(form.list("types"), ["a", "b"]);
        form.finish().unwrap();
    }

    #[test]
    fn the_fingerprint_depends_on_the_values_but_not_on_the_order() {
        assert_eq!(form("a=1&b=2").fingerprint(), form("b=2&a=1").fingerprint());
        assert_ne!(form("a=1&b=2").fingerprint(), form("a=1&b=3").fingerprint());
        // A value that contains a separator is not two parameters.
        assert_ne!(form("a=1%26b%3D2").fingerprint(), form("a=1&b=2").fingerprint());
    }

    #[test]
    fn rejects_invalid_values_with_the_name_of_the_parameter() {
        let cases = [
            ("amount=", "parameter_invalid_empty"),
            ("amount=ten", "parameter_invalid_integer"),
            ("amount=-5", "parameter_invalid_integer"),
            ("amount=0", "parameter_invalid_integer"),
            ("amount=99999999999999999999999", "parameter_invalid_integer"),
        ];
        for (text, code) in cases {
            let error = form(text).integer("amount").unwrap_err();
            assert_eq!((error.code, error.param.as_deref()), (Some(code), Some("amount")), "{text}");
        }
        assert_eq!(form("").required("amount").unwrap_err().code, Some("parameter_missing"));
        assert_eq!(form("confirm=yes").boolean("confirm").unwrap_err().param.as_deref(), Some("confirm"));
        assert_eq!(form("amuont=5").finish().unwrap_err().code, Some("parameter_unknown"));
        let long = format!("metadata[note]={}", "x".repeat(501));
        assert_eq!(form(&long).metadata().unwrap_err().param.as_deref(), Some("metadata[note]"));
    }
}
