//! Parses JSON request bodies, more strictly than `serde_json` does, and lists every error with a pointer to
//! it.
//!
//! A body is first read into a tree and then deserialized from it. Deserializing from the text has two flaws:
//! `serde` takes an array for a struct and an object for an enum, and after an error the parser stands
//! somewhere in the text, so that further errors get pointers to fields that do not exist. What is accepted
//! is what the contract's schemas accept, which a test in `tests/openapi` shows.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use eserde::EDeserialize;
use eserde::reporter::ErrorReporter;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Number, Value};

use super::problem::{FieldError, MAX_ERRORS};
use crate::redact::redact_values;

/// Parses all of `bytes` as a `T`.
///
/// # Errors
/// Every invalid field. For a body that is not JSON, the field at which it stops being JSON.
pub(super) fn parse<T: for<'de> EDeserialize<'de>>(bytes: &[u8]) -> Result<T, Vec<FieldError>> {
    let (body, mut errors) = read(bytes).map_err(|error| vec![error])?;
    match T::deserialize(Strict { value: &body, location: None }) {
        Ok(value) if errors.is_empty() => return Ok(value),
        Ok(_) => {}
        Err(error) => {
            let all = field_errors::<T>(&body);
            let first = || FieldError::pointer("", redact_values(&error.to_string()));
            errors.extend(if all.is_empty() { vec![first()] } else { all });
        }
    }
    Err(errors)
}

/// Reads a JSON text (RFC 8259), and lists the keys that occur more than once in their object. Parsers
/// disagree about which of the values is meant (§4), so no request may depend on it.
fn read(bytes: &[u8]) -> Result<(Value, Vec<FieldError>), FieldError> {
    let text = str::from_utf8(bytes).map_err(|error| {
        FieldError::pointer("", format!("must be UTF-8: byte {} is not", error.valid_up_to()))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(FieldError::pointer("", "must not start with a byte order mark (U+FEFF)"));
    }
    if text.trim_ascii().is_empty() {
        return Err(FieldError::pointer("", "is empty: send a JSON object"));
    }
    let (mut pointer, mut repeated) = (String::new(), BTreeSet::new());
    let mut parser = serde_json::Deserializer::from_str(text);
    let tree = Tree { pointer: &mut pointer, repeated: &mut repeated }.deserialize(&mut parser);
    let value = tree
        .and_then(|value| parser.end().map(|()| value))
        .map_err(|error| FieldError::pointer(&*pointer, redact_values(&error.to_string())))?;
    let repeated = repeated.into_iter();
    Ok((value, repeated.map(|it| FieldError::pointer(it, "occurs more than once in its object")).collect()))
}

/// Builds a [`Value`].
struct Tree<'a> {
    /// The pointer to the value that is being read; after an error, to where it occurred.
    pointer: &'a mut String,
    /// The pointers to the keys that occur more than once in their object, at most [`MAX_ERRORS`].
    repeated: &'a mut BTreeSet<String>,
}

impl Tree<'_> {
    fn nested(&mut self) -> Tree<'_> {
        Tree { pointer: self.pointer, repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let (parent, mut items) = (self.pointer.len(), Vec::new());
        loop {
            // Writing to a `String` cannot fail.
            let _ = write!(self.pointer, "/{}", items.len());
            let item = seq.next_element_seed(self.nested())?;
            self.pointer.truncate(parent);
            match item {
                Some(item) => items.push(item),
                None => return Ok(items.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let (parent, mut fields) = (self.pointer.len(), Map::new());
        while let Some(key) = map.next_key::<String>()? {
            self.pointer.push_str(&token(&key));
            let value = map.next_value_seed(self.nested())?;
            if fields.insert(key, value).is_some() && self.repeated.len() < MAX_ERRORS {
                self.repeated.insert(self.pointer.clone());
            }
            self.pointer.truncate(parent);
        }
        Ok(fields.into())
    }
}

/// Deserializes from a tree: a struct only from an object, and an enum only from a string.
struct Strict<'de> {
    value: &'de Value,
    /// Where the value is, if errors are collected. Then unknown fields are reported and skipped: every
    /// request type denies them, but would end at the first one.
    location: Option<Location<'de>>,
}

#[derive(Clone)]
struct Location<'de> {
    pointer: String,
    log: &'de LocationLog,
}

impl Location<'_> {
    fn child(&self, token: &str) -> Self {
        Self { pointer: format!("{}{token}", self.pointer), log: self.log }
    }

    fn enter(&self) {
        self.log.enter(&self.pointer);
    }
}

/// Where errors occurred. `eserde` reports an error while its value is being deserialized, and a missing
/// field when the fields of its object have been, but tracks the location only for its own deserializers.
/// Each entry is the number of errors before it, in ascending order, and a pointer.
#[derive(Default)]
struct LocationLog(RefCell<Vec<(usize, String)>>);

impl LocationLog {
    /// Notes that the value at `pointer` is deserialized from now on.
    fn enter(&self, pointer: &str) {
        let errors = ErrorReporter::n_errors();
        let mut steps = self.0.borrow_mut();
        match steps.last_mut() {
            Some((before, last)) if *before == errors => pointer.clone_into(last),
            _ => steps.push((errors, pointer.to_owned())),
        }
    }

    /// Returns the pointer to the value that was being deserialized when the error with this index was
    /// reported.
    fn location_of(&self, error: usize) -> String {
        let steps = self.0.borrow();
        let (before, _) = steps.split_at(steps.partition_point(|(errors, _)| *errors <= error));
        before.last().map(|(_, pointer)| pointer.clone()).unwrap_or_default()
    }
}

impl<'de> IntoDeserializer<'de, Error> for Strict<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        if let Some(location) = &self.location {
            location.enter();
        }
        self
    }
}

impl<'de> Strict<'de> {
    fn visit_items<V: Visitor<'de>>(self, items: &'de [Value], visitor: V) -> Result<V::Value, Error> {
        let location = self.location.as_ref();
        let strict = items.iter().enumerate().map(|(index, value)| Self {
            value,
            location: location.map(|location| location.child(&format!("/{index}"))),
        });
        let mut items = SeqDeserializer::new(strict.chain(self.leaving()));
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(value)
    }

    fn visit_fields<V: Visitor<'de>>(
        &self,
        fields: impl Iterator<Item = (&'de String, &'de Value)>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let location = self.location.as_ref();
        let strict = fields.map(|(name, value)| {
            (name.as_str(), Self { value, location: location.map(|location| location.child(&token(name))) })
        });
        let mut fields = MapDeserializer::new(strict.chain(self.leaving()));
        let value = visitor.visit_map(&mut fields)?;
        fields.end()?;
        Ok(value)
    }

    /// The end of the items or fields, behind which errors are those of this value again.
    fn leaving<T>(&self) -> impl Iterator<Item = T> {
        let location = self.location.as_ref();
        std::iter::from_fn(move || {
            if let Some(location) = location {
                location.enter();
            }
            None
        })
    }
}

impl<'de> Deserializer<'de> for Strict<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => self.visit_items(items, visitor),
            Value::Object(fields) => self.visit_fields(fields.iter(), visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Object(fields) = self.value else { return Err(Error::custom("must be an object")) };
        if self.location.is_none() {
            return self.visit_fields(fields.iter(), visitor);
        }
        let (known, unknown): (Vec<_>, Vec<_>) =
            fields.iter().partition(|(name, _)| names.contains(&name.as_str()));
        for (name, _) in unknown {
            ErrorReporter::report(format!("{UNKNOWN_FIELD}{name}"));
        }
        self.visit_fields(known.into_iter(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::String(text) = self.value else { return Err(Error::custom("must be a string")) };
        visitor.visit_enum(text.as_str().into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// The largest integer up to which every integer is a floating-point number of its own.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Visits a number. `1.0` and `1e2` are integers, as in JSON Schema 2020-12 (Validation §6.1.1).
fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Error> {
    if let Some(integer) = number.as_u64() {
        return visitor.visit_u64(integer);
    }
    match (number.as_i64(), number.as_f64().unwrap_or(f64::NAN)) {
        (Some(integer), _) => visitor.visit_i64(integer),
        #[expect(clippy::cast_possible_truncation, reason = "it is an integer in the range of i64")]
        (None, float) if float.fract() == 0.0 && float.abs() < MAX_EXACT_INTEGER => {
            visitor.visit_i64(float as i64)
        }
        (None, float) => visitor.visit_f64(float),
    }
}

/// Lists the errors of a body that cannot be deserialized.
fn field_errors<T: for<'de> EDeserialize<'de>>(body: &Value) -> Vec<FieldError> {
    let (_guard, log) = (ErrorReporter::start_deserialization(), LocationLog::default());
    let location = Location { pointer: String::new(), log: &log };
    let strict = Strict { value: body, location: Some(location) }.into_deserializer();
    // The result does not tell of unknown fields.
    let _ = T::deserialize_for_errors(strict);
    let errors = ErrorReporter::take_errors();
    let located = errors.iter().enumerate();
    located.map(|(index, error)| field_error(log.location_of(index), error.message())).collect()
}

/// The start of the message about an unknown field, which is followed by its name.
const UNKNOWN_FIELD: &str = "unknown field: ";

/// Converts an error of the value at `location`. A missing or unknown field is an error of its object: here
/// the pointer names the field itself.
fn field_error(location: String, message: &str) -> FieldError {
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return FieldError::pointer(location + &token(field), "is missing");
    }
    match message.strip_prefix(UNKNOWN_FIELD) {
        Some(field) => FieldError::pointer(location + &token(field), "is not a known field"),
        None => FieldError::pointer(location, redact_values(message)),
    }
}

/// A reference token of a JSON Pointer, with its slash.
fn token(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}
