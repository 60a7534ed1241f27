//! Generates values that match a schema, and values that almost match it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

/// Texts of ordinary requests. Of each schema, at least one is valid, and of that of a SKU several.
const ORDINARY_TEXTS: [&str; 13] = [
    "Ada Lovelace",
    "12 St James's Square",
    "London",
    "TEA-001",
    "TEA-002",
    "TEA-003",
    "TEA-004",
    "TEA-005",
    "pm_card_visa",
    "ada@lovelace.org",
    "GB",
    "en",
    "https://lovelace.org/orders",
];

/// How far the generated values differ from those of ordinary requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// Values that also meet the rules that no schema can express, for texts, currencies, amounts and required fields.
    Ordinary,
    /// Every value of the schema. Of a body with ten random texts, one almost always breaks a rule for texts.
    Any,
}

/// Generates values that match `schema`. Two of three are ordinary, and the function accepts most of those.
pub(crate) fn matching(document: &Value, schema: &Value) -> BoxedStrategy<Value> {
    let of = |range| in_range(document, schema, range);
    prop_oneof![2 => of(Range::Ordinary), 1 => of(Range::Any)].boxed()
}

fn in_range(document: &Value, schema: &Value, range: Range) -> BoxedStrategy<Value> {
    let next = |schema: &Value| in_range(document, schema, range);
    if let Some(path) = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
        return next(document.pointer(path).unwrap());
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(forms) = schema[keyword].as_array() {
            let is_usual = |form: &&Value| range == Range::Any || form["type"] != "null";
            return proptest::strategy::Union::new(forms.iter().filter(is_usual).map(next)).boxed();
        }
    }
    if let Some(value) = schema.get("const") {
        return Just(value.clone()).boxed();
    }
    if let Some(values) = schema["enum"].as_array() {
        // An order in two currencies is invalid.
        let usual = values.iter().find(|it| *it == "EUR").unwrap_or(&values[0]).clone();
        return match range {
            Range::Ordinary => Just(usual).boxed(),
            Range::Any => prop_oneof![9 => Just(usual), 1 => select(values.clone())].boxed(),
        };
    }
    if let Some(types) = schema["type"].as_array() {
        let of_type = |kind: &Value| {
            let mut one = schema.clone();
            one["type"] = kind.clone();
            next(&one)
        };
        return proptest::strategy::Union::new(types.iter().map(of_type)).boxed();
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => {
            let required =
                |name: &str| schema["required"].as_array().is_some_and(|it| it.iter().any(|it| it == name));
            let fields = schema["properties"].as_object().into_iter().flatten();
            let fields: Vec<_> = fields
                .map(|(name, schema)| {
                    let is_present =
                        if required(name) { Just(true).boxed() } else { prop::bool::weighted(0.9).boxed() };
                    let name = name.clone();
                    (is_present, next(schema))
                        .prop_map(move |(is_present, value)| is_present.then(|| (name.clone(), value)))
                })
                .collect();
            fields.prop_map(|fields| fields.into_iter().flatten().collect::<Map<_, _>>().into()).boxed()
        }
        "array" => {
            let min = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap();
            vec(next(&schema["items"]), min..=min + 2).prop_map(Value::from).boxed()
        }
        "integer" => {
            let bound = |keyword: &str, default| schema[keyword].as_i64().unwrap_or(default);
            let (min, max) = (bound("minimum", i64::MIN), bound("maximum", i64::MAX));
            // Rarely large: the total of an order has a limit.
            match range {
                Range::Ordinary => Just(min).prop_map(Value::from).boxed(),
                Range::Any => {
                    prop_oneof![8 => Just(min), 1 => Just(max), 1 => min..=max].prop_map(Value::from).boxed()
                }
            }
        }
        "string" if range == Range::Ordinary => {
            let valid = jsonschema::draft202012::new(schema).unwrap();
            let texts = ORDINARY_TEXTS.map(Value::from).into_iter().filter(|text| valid.is_valid(text));
            select(schema["examples"].as_array().cloned().unwrap_or_else(|| texts.collect())).boxed()
        }
        "string" => {
            let max = usize::try_from(schema["maxLength"].as_u64().unwrap_or(1000)).unwrap();
            let pattern =
                schema["pattern"].as_str().unwrap_or(".*").trim_start_matches('^').trim_end_matches('$');
            let any = string_regex(pattern)
                .unwrap()
                .prop_filter("too long", move |text| text.chars().count() <= max)
                .prop_map(Value::from);
            // If valid texts are rare, the contract has examples of them.
            match schema["examples"].as_array() {
                Some(examples) => prop_oneof![9 => select(examples.clone()), 1 => any].boxed(),
                None => any.boxed(),
            }
        }
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "null" => Just(Value::Null).boxed(),
        other => panic!("cannot generate values of type {other:?}"),
    }
}

/// Applies up to two mutations to each value.
pub(crate) fn mutated(values: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    (values, vec((any::<prop::sample::Index>(), mutation()), 0..=2)).prop_map(|(mut value, mutations)| {
        for (position, mutation) in mutations {
            let mut left = position.index(count_nodes(&value));
            apply(&mut value, &mut left, &mutation);
        }
        value
    })
}

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Value),
    /// Adds a field or an item.
    Add(String, Value),
    /// Removes the first field or the last item.
    Remove,
    /// Appends a character to a text so many times.
    Lengthen(char, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        unusual_value().prop_map(Mutation::Replace),
        ("[a-z_]{0,8}", unusual_value()).prop_map(|(name, value)| Mutation::Add(name, value)),
        Just(Mutation::Remove),
        (any::<char>(), 1..300_usize).prop_map(|(character, times)| Mutation::Lengthen(character, times)),
    ]
}

/// Values that are often invalid: edge cases of each type, and random ones.
pub(crate) fn unusual_value() -> impl Strategy<Value = Value> {
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

fn count_nodes(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count_nodes).sum(),
        Value::Array(items) => items.iter().map(count_nodes).sum(),
        _ => 0,
    }
}

/// Applies the mutation to the node that comes `left` nodes later, in depth-first order.
fn apply(value: &mut Value, left: &mut usize, mutation: &Mutation) -> bool {
    if *left == 0 {
        match (mutation, value) {
            (Mutation::Add(name, new), Value::Object(fields)) => {
                drop(fields.insert(name.clone(), new.clone()));
            }
            (Mutation::Add(_, new), Value::Array(items)) => items.push(items.first().unwrap_or(new).clone()),
            (Mutation::Remove, Value::Object(fields)) => {
                let name = fields.keys().next().cloned();
                name.and_then(|name| fields.remove(&name));
            }
            (Mutation::Remove, Value::Array(items)) => drop(items.pop()),
            (Mutation::Lengthen(character, times), Value::String(text)) => {
                text.extend(std::iter::repeat_n(*character, *times));
            }
            (Mutation::Replace(new), value) => *value = new.clone(),
            _ => {}
        }
        return true;
    }
    *left -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().any(|value| apply(value, left, mutation)),
        Value::Array(items) => items.iter_mut().any(|value| apply(value, left, mutation)),
        _ => false,
    }
}
