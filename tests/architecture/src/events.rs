//! That subscriptions and samples are of events that exist.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::source_of;
use domain::{Event, Fact, ProductFact};
use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, RULE, Template, list};

/// Events that nobody here listens to, and for whom they are.
const FOR_OTHERS: &[(&str, &str)] = &[
    ("product.image_ready", "a shop's pages, a search index, whoever keeps pictures elsewhere"),
    ("product.image_rejected", "whoever tells the person who uploaded it"),
];

/// The types of event that the domain has, read from its schema.
pub fn known() -> BTreeSet<String> {
    let schemas = [schemars::schema_for!(Fact).to_value(), schemars::schema_for!(ProductFact).to_value()];
    let variants = schemas.iter().flat_map(|schema| list(&schema["oneOf"]));
    variants
        .filter_map(|variant| variant["properties"]["type"]["const"].as_str().map(str::to_owned))
        .collect()
}

/// Each rule of the bus listens to events that exist, from the services that publish them, and each event has a listener,
/// or is for others.
pub fn are_listened_to(template: &Template, known: &BTreeSet<String>) -> Violations {
    let mut found = Violations::new();
    let mut heard = BTreeSet::new();
    for (id, rule) in template.subscriptions() {
        let pattern = rule.property("/EventPattern");
        let types: Vec<&str> = list(&pattern["detail-type"]).iter().filter_map(Value::as_str).collect();
        for name in types.iter().filter(|name| !known.contains(**name)) {
            found.push(format!("{id}: there is no event {name}: the types stand in domain::Fact"));
        }
        let wanted: BTreeSet<&str> = types.iter().filter_map(|name| source_of(name)).collect();
        if sources(&pattern["source"]) != wanted {
            found.push(format!("{id}: match the sources {wanted:?}: anybody else's event is none of theirs"));
        }
        heard.extend(types);
    }
    found.extend(
        known
            .iter()
            .filter(|name| !heard.contains(name.as_str()) && !is_for_others(name))
            .map(|name| format!("{name}: no rule listens to this event: add it to one, or remove the event")),
    );
    found
}

/// The sources that a pattern matches. `OrderSources` stands for orders, and for who else publishes order events.
fn sources(pattern: &Value) -> BTreeSet<&str> {
    match pattern["Fn::Split"][1]["Fn::Sub"].as_str() {
        Some(text) => text.split(',').map(|it| if it == "${OrderSources}" { "orders" } else { it }).collect(),
        None => list(pattern).iter().filter_map(Value::as_str).collect(),
    }
}

/// Whether nobody here need listen to this event.
pub fn is_for_others(event: &str) -> bool {
    FOR_OTHERS.iter().any(|(name, _)| *name == event)
}

/// The sample of a function that listens to the bus is an event that it listens to, as the domain reads it.
pub fn fit_their_samples(template: &Template, samples: &BTreeMap<String, Value>) -> Violations {
    let mut found = Violations::new();
    for (id, rule) in template.subscriptions() {
        let name = id.trim_end_matches("Rule").to_kebab_case();
        let Some(sample) = samples.get(&name) else { continue };
        let body = sample["Records"][0]["body"].as_str().unwrap_or_default();
        let entry: Value = serde_json::from_str(body).unwrap_or_default();
        if !list(rule.property("/EventPattern/detail-type")).contains(&entry["detail-type"]) {
            found.push(format!("events/{name}.json: put an event in that {id} listens to"));
        }
        match serde_json::from_value::<Event>(entry["detail"].clone()) {
            Ok(event) if event.fact.name() == entry["detail-type"] => {}
            Ok(event) => found.push(format!("events/{name}.json: set detail-type to {}", event.fact.name())),
            Err(error) => {
                found.push(format!("events/{name}.json: the domain does not understand it: {error}"));
            }
        }
    }
    found
}

/// Each rule is named after the function that its events are for.
pub fn rules_are_named_after_functions(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    template
        .all(RULE)
        .into_keys()
        .filter(|id| id.strip_suffix("Rule").is_none_or(|function| !functions.contains_key(function)))
        .map(|id| {
            format!("{id}: call it after the function that its events are for: OrdersApiRule for OrdersApi")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutant::{assert_tells, repository, with};
    use crate::workspace::samples;

    #[test]
    fn a_rule_for_an_event_that_nobody_publishes() {
        let types = json!(["order.created", "order.craeted"]);
        let typo = with("ReserveInventoryRule/Properties/EventPattern/detail-type", types);
        assert_tells(&are_listened_to(&typo, &known()), &["ReserveInventoryRule", "order.craeted"]);
    }

    #[test]
    fn an_event_that_nobody_listens_to() {
        let mut known = known();
        assert_eq!(known.len(), 13);
        known.insert("order.shipped".into());
        assert_tells(&are_listened_to(&repository(), &known), &["order.shipped"]);
    }

    #[test]
    fn a_rule_that_believes_anybody() {
        let anybody = with("SettleReservationRule/Properties/EventPattern/source", Value::Null);
        assert_tells(&are_listened_to(&anybody, &known()), &["SettleReservationRule", "payments"]);
        let others =
            with("SettleReservationRule/Properties/EventPattern/source", json!(["payments", "orders"]));
        assert_tells(&are_listened_to(&others, &known()), &["SettleReservationRule", "payments"]);
    }

    #[test]
    fn a_sample_that_does_not_fit() {
        let mut samples = samples().unwrap();
        samples.insert("reserve-inventory".into(), samples["send-email"].clone());
        assert_tells(
            &fit_their_samples(&repository(), &samples),
            &["reserve-inventory", "ReserveInventoryRule"],
        );
    }

    #[test]
    fn a_sample_that_the_domain_does_not_understand() {
        let mut samples = samples().unwrap();
        let body = samples["send-email"]["Records"][0]["body"].as_str().unwrap().replace("2500", "2501");
        samples.get_mut("send-email").unwrap()["Records"][0]["body"] = json!(body);
        assert_tells(&fit_their_samples(&repository(), &samples), &["send-email", "total"]);
    }

    #[test]
    fn a_rule_that_is_named_after_nothing() {
        let template = repository().changed(|root| {
            let resources = root["Resources"].as_object_mut().unwrap();
            let rule = resources.remove("SendEmailRule").unwrap();
            resources.insert("Mails".into(), rule);
        });
        assert_tells(&rules_are_named_after_functions(&template), &["Mails"]);
    }
}
