//! The model hears what the deployed functions hear.

use std::collections::BTreeSet;

use domain::payment::VoidReason;
use model::drive::subscribers;
use model::report::event;
use model::state::News;
use serde_norway::Value;

/// Tell others of what happened: they publish nothing and write nothing that the protocol knows.
const TELL_OTHERS: [&str; 3] = ["deliver-webhook", "issue-invoice", "record-sale"];

#[test]
fn the_model_subscribes_as_the_template_does() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml")).unwrap();
    let template: Value = serde_norway::from_str(&text).unwrap();
    let mut deployed = BTreeSet::new();
    for resource in template["Resources"].as_mapping().unwrap().values() {
        if resource["Type"] != "AWS::Events::Rule" {
            continue;
        }
        let properties = &resource["Properties"];
        // Those of the default bus hear what AWS tells of files.
        if properties["EventBusName"].is_null() {
            continue;
        }
        let Some(types) = properties["EventPattern"]["detail-type"].as_sequence() else { continue };
        for target in properties["Targets"].as_sequence().unwrap() {
            if TELL_OTHERS.iter().any(|id| target["Id"] == *id) {
                continue;
            }
            for event in types {
                deployed
                    .insert((event.as_str().unwrap().to_owned(), target["Id"].as_str().unwrap().to_owned()));
            }
        }
    }
    let reason = VoidReason::Expired;
    let all = [
        News::Created,
        News::Wish(reason),
        News::Confirmed,
        News::Rejected,
        News::Committed,
        News::Released,
        News::Succeeded,
        News::Failed,
        News::Voided(reason),
    ];
    let modelled: BTreeSet<(String, String)> = all
        .into_iter()
        .flat_map(|news| {
            subscribers(news).iter().map(move |to| (event(news).to_owned(), to.name().to_owned()))
        })
        .collect();
    // Has process-payment do what another delivery of reservation.confirmed does, and that is modelled.
    assert!(deployed.remove(&("payment.reported".to_owned(), "process-payment".to_owned())));
    assert_eq!(modelled, deployed);
}
