//! Checks that subscriptions and sample events refer to events that exist.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Event, Fact, ProductFact, ProductFactKind, source_of};
use heck::ToKebabCase;
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, RULE, Template, list};

/// Events without a subscriber in this repository, and who may subscribe to them.
const EXTERNAL_EVENTS: &[(&str, &str)] = &[
    (ProductFactKind::ImageReady.name(), "a shop's web pages, a search index, another store of images"),
    (ProductFactKind::ImageRejected.name(), "a service that notifies the user who uploaded the image"),
];

/// The event types of the domain, read from its schema.
pub fn event_types() -> BTreeSet<String> {
    let schemas = [schemars::schema_for!(Fact).to_value(), schemars::schema_for!(ProductFact).to_value()];
    let variants = schemas.iter().flat_map(|schema| list(&schema["oneOf"]));
    variants
        .filter_map(|variant| variant["properties"]["type"]["const"].as_str().map(str::to_owned))
        .collect()
}

/// Each rule of the bus matches events that exist, from the services that publish them, and each event has a subscriber
/// or is meant for external ones.
pub fn have_subscribers(template: &Template, known: &BTreeSet<String>) -> Violations {
    let mut found = Violations::new();
    let mut subscribed = BTreeSet::new();
    for (id, rule) in template.subscriptions() {
        let pattern = rule.property("/EventPattern");
        let types: Vec<&str> = list(&pattern["detail-type"]).iter().filter_map(Value::as_str).collect();
        for name in types.iter().filter(|name| !known.contains(**name)) {
            found.push(format!("{id}: there is no event {name}: domain::Fact defines the types"));
        }
        let expected: BTreeSet<&str> = types.iter().filter_map(|name| source_of(name)).collect();
        if sources(&pattern["source"]) != expected {
            found.push(format!(
                "{id}: match the sources {expected:?}, and no others: each event has one owner"
            ));
        }
        subscribed.extend(types);
    }
    found.extend(
        known
            .iter()
            .filter(|name| !subscribed.contains(name.as_str()) && !is_for_external_subscribers(name))
            .map(|name| format!("{name}: no rule matches this event: add it to a rule, or remove the event")),
    );
    found
}

/// The sources that a pattern matches. `OrderSources` contains `orders` and other services that publish order events.
fn sources(pattern: &Value) -> BTreeSet<&str> {
    match pattern["Fn::Split"][1]["Fn::Sub"].as_str() {
        Some(text) => text.split(',').map(|it| if it == "${OrderSources}" { "orders" } else { it }).collect(),
        None => list(pattern).iter().filter_map(Value::as_str).collect(),
    }
}

/// Whether the event needs no subscriber in this repository.
pub fn is_for_external_subscribers(event: &str) -> bool {
    EXTERNAL_EVENTS.iter().any(|(name, _)| *name == event)
}

/// The sample of each function that subscribes to events is one of those events, and the domain can parse it.
pub fn samples_match_subscriptions(template: &Template, samples: &BTreeMap<String, Value>) -> Violations {
    let mut found = Violations::new();
    for (id, rule) in template.subscriptions() {
        let name = id.trim_end_matches("Rule").to_kebab_case();
        let Some(sample) = samples.get(&name) else { continue };
        let body = sample["Records"][0]["body"].as_str().unwrap_or_default();
        let entry: Value = serde_json::from_str(body).unwrap_or_default();
        if !list(rule.property("/EventPattern/detail-type")).contains(&entry["detail-type"]) {
            found.push(format!("events/{name}.json: use an event that {id} matches"));
        }
        match serde_json::from_value::<Event>(entry["detail"].clone()) {
            Ok(event) if event.fact.name() == entry["detail-type"] => {}
            Ok(event) => found.push(format!("events/{name}.json: set detail-type to {}", event.fact.name())),
            Err(error) => {
                found.push(format!("events/{name}.json: the domain cannot parse it: {error}"));
            }
        }
    }
    found
}

/// Each rule is named after the function that receives its events.
pub fn rules_are_named_after_functions(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    template
        .all(RULE)
        .into_keys()
        .filter(|id| id.strip_suffix("Rule").is_none_or(|function| !functions.contains_key(function)))
        .map(|id| {
            format!("{id}: name it after the function that receives its events: OrdersApiRule for OrdersApi")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutant::{assert_reports, repository, with};
    use crate::workspace::samples;

    #[test]
    fn a_rule_for_an_unknown_event() {
        let types = json!(["order.created", "order.craeted"]);
        let typo = with("ReserveInventoryRule/Properties/EventPattern/detail-type", types);
        assert_reports(&have_subscribers(&typo, &event_types()), &["ReserveInventoryRule", "order.craeted"]);
    }

    #[test]
    fn an_event_without_a_subscriber() {
        let mut known = event_types();
        assert_eq!(known.len(), 13);
        known.insert("order.shipped".into());
        assert_reports(&have_subscribers(&repository(), &known), &["order.shipped"]);
    }

    #[test]
    fn a_rule_that_accepts_other_sources() {
        let anybody = with("SettleReservationRule/Properties/EventPattern/source", Value::Null);
        assert_reports(&have_subscribers(&anybody, &event_types()), &["SettleReservationRule", "payments"]);
        let others =
            with("SettleReservationRule/Properties/EventPattern/source", json!(["payments", "orders"]));
        assert_reports(&have_subscribers(&others, &event_types()), &["SettleReservationRule", "payments"]);
    }

    #[test]
    fn a_sample_of_another_event() {
        let mut samples = samples().unwrap();
        samples.insert("reserve-inventory".into(), samples["send-email"].clone());
        assert_reports(
            &samples_match_subscriptions(&repository(), &samples),
            &["reserve-inventory", "ReserveInventoryRule"],
        );
    }

    #[test]
    fn a_sample_that_the_domain_cannot_parse() {
        let mut samples = samples().unwrap();
        let body = samples["send-email"]["Records"][0]["body"].as_str().unwrap().replace("2500", "2501");
        samples.get_mut("send-email").unwrap()["Records"][0]["body"] = json!(body);
        assert_reports(&samples_match_subscriptions(&repository(), &samples), &["send-email", "total"]);
    }

    #[test]
    fn a_rule_that_is_not_named_after_a_function() {
        let template = repository().changed(|root| {
            let resources = root["Resources"].as_object_mut().unwrap();
            let rule = resources.remove("SendEmailRule").unwrap();
            resources.insert("Mails".into(), rule);
        });
        assert_reports(&rules_are_named_after_functions(&template), &["Mails"]);
    }
}
