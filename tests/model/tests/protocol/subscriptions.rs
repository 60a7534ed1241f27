//! The model hears what the deployed functions hear.

use std::collections::BTreeSet;

use architecture::template::Template;
use domain::payment::VoidReason;
use model::drive::subscribers;
use model::report::event;
use model::state::News;

#[test]
fn the_model_subscribes_as_the_template_does() {
    let mut deployed = Template::of_repository().unwrap().participants();
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
