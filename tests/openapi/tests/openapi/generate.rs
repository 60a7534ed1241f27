//! Values that fit a schema, and values that nearly do.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

/// Values that `schema` takes.
pub(crate) fn fitting(document: &Value, schema: &Value) -> BoxedStrategy<Value> {
    let next = |schema: &Value| fitting(document, schema);
    if let Some(path) = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
        return next(document.pointer(path).unwrap());
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(forms) = schema[keyword].as_array() {
            return proptest::strategy::Union::new(forms.iter().map(next)).boxed();
        }
    }
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(values) = schema["enum"].as_array() {
        // Often the same: an order with two currencies is none.
        let usual = values.iter().find(|it| *it == "EUR").unwrap_or(&values[0]).clone();
        return prop_oneof![9 => Just(usual), 1 => select(values.clone())].boxed();
    }
    if let Some(types) = schema["type"].as_array() {
        let of = |kind: &Value| {
            let mut one = schema.clone();
            one["type"] = kind.clone();
            next(&one)
        };
        return proptest::strategy::Union::new(types.iter().map(of)).boxed();
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => {
            let required =
                |name: &str| schema["required"].as_array().is_some_and(|it| it.iter().any(|it| it == name));
            let fields = schema["properties"].as_object().into_iter().flatten();
            let fields: Vec<_> = fields
                .map(|(name, schema)| {
                    let there =
                        if required(name) { Just(true).boxed() } else { prop::bool::weighted(0.9).boxed() };
                    let name = name.clone();
                    (there, next(schema)).prop_map(move |(there, value)| there.then(|| (name.clone(), value)))
                })
                .collect();
            fields.prop_map(|fields| fields.into_iter().flatten().collect::<Map<_, _>>().into()).boxed()
        }
        "array" => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap();
            vec(next(&schema["items"]), least..=least + 2).prop_map(Value::from).boxed()
        }
        "integer" => {
            let bound = |keyword: &str, otherwise| schema[keyword].as_i64().unwrap_or(otherwise);
            let (least, most) = (bound("minimum", i64::MIN), bound("maximum", i64::MAX));
            // Seldom large: what an order costs has to fit.
            prop_oneof![8 => Just(least), 1 => Just(most), 1 => least..=most].prop_map(Value::from).boxed()
        }
        "string" => {
            let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(1000)).unwrap();
            let pattern =
                schema["pattern"].as_str().unwrap_or(".*").trim_start_matches('^').trim_end_matches('$');
            let any = string_regex(pattern)
                .unwrap()
                .prop_filter("too long", move |text| text.chars().count() <= most)
                .prop_map(Value::from);
            // Where hardly any text is good, the contract has examples of what is.
            match schema["examples"].as_array() {
                Some(examples) => prop_oneof![9 => select(examples.clone()), 1 => any].boxed(),
                None => any.boxed(),
            }
        }
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "null" => Just(Value::Null).boxed(),
        other => panic!("no values of type {other:?}"),
    }
}

/// Values with up to two things changed.
pub(crate) fn changed(values: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    (values, vec((any::<prop::sample::Index>(), change()), 0..=2)).prop_map(|(mut value, changes)| {
        for (place, change) in changes {
            let mut left = place.index(count(&value));
            apply(&mut value, &mut left, &change);
        }
        value
    })
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    /// One more field, or item.
    Add(String, Value),
    /// The first field or item goes away.
    Remove,
    Lengthen(char, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        surprise().prop_map(Change::Replace),
        ("[a-z_]{0,8}", surprise()).prop_map(|(name, value)| Change::Add(name, value)),
        Just(Change::Remove),
        (any::<char>(), 1..300_usize).prop_map(|(letter, times)| Change::Lengthen(letter, times)),
    ]
}

/// Values that are seldom what was wanted.
pub(crate) fn surprise() -> impl Strategy<Value = Value> {
    let odd = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.0),
        json!(1.5),
        json!(1e300),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("\u{2028}"),
        json!("a\n"),
        json!("ü@x.y"),
        json!("a@b"),
        json!("a@-b.c"),
        json!("eur"),
        json!("ZZZ"),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"": null}),
    ];
    prop_oneof![select(odd), any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from)]
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// Carries out the change at the place that is `left` places away.
fn apply(value: &mut Value, left: &mut usize, change: &Change) -> bool {
    if *left == 0 {
        match (change, value) {
            (Change::Add(name, new), Value::Object(fields)) => drop(fields.insert(name.clone(), new.clone())),
            (Change::Add(_, new), Value::Array(items)) => items.push(items.first().unwrap_or(new).clone()),
            (Change::Remove, Value::Object(fields)) => {
                let name = fields.keys().next().cloned();
                name.and_then(|name| fields.remove(&name));
            }
            (Change::Remove, Value::Array(items)) => drop(items.pop()),
            (Change::Lengthen(letter, times), Value::String(text)) => {
                text.extend(std::iter::repeat_n(*letter, *times));
            }
            (Change::Replace(new), value) => *value = new.clone(),
            _ => {}
        }
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().any(|value| apply(value, left, change)),
        Value::Array(items) => items.iter_mut().any(|value| apply(value, left, change)),
        _ => false,
    }
}
