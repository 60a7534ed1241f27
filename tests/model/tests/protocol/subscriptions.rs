//! The subscriptions of the model are those of the deployed functions.

use std::collections::BTreeSet;

use architecture::template::Template;
use domain::VoidReason;
use model::drive::subscribers;
use model::report::event_type;
use model::state::EventKind;

#[test]
fn the_subscriptions_of_the_model_match_the_template() {
    let mut deployed = Template::of_repository().unwrap().participants();
    let reason = VoidReason::Expired;
    let all = [
        EventKind::Created,
        EventKind::CancellationRequested(reason),
        EventKind::Confirmed,
        EventKind::Rejected,
        EventKind::Committed,
        EventKind::Released,
        EventKind::Succeeded,
        EventKind::Failed,
        EventKind::Voided(reason),
    ];
    let modelled: BTreeSet<(String, String)> = all
        .into_iter()
        .flat_map(|event| {
            subscribers(event).iter().map(move |to| (event_type(event).to_owned(), to.name().to_owned()))
        })
        .collect();
    // It has the same effect on process-payment as a redelivery of reservation.confirmed, which is modelled.
    assert!(deployed.remove(&("payment.reported".to_owned(), "process-payment".to_owned())));
    assert_eq!(modelled, deployed);
}
