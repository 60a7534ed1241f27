//! After a run, the tables contain personal data only where `docs/PERSONAL_DATA.md` says so.

use std::sync::Arc;

use architecture::personal_data::{Person, documented};
use simulation::clients::OrderRequest;
use simulation::run::{Setup, run_and_inspect};
use simulation::wiring::Wiring;

#[test]
fn tables_hold_no_more_personal_data_than_documented() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let places = documented().unwrap();
    let person =
        Person { name: "Lovelace".into(), email: "c-0@example.com".into(), street: "1 High St".into() };
    let requests = ["pm_visa", "pm_declined"]
        .map(|payment_method| OrderRequest { payment_method, ..OrderRequest::simple() });
    // The stock is enough for both orders, or for none.
    for stock in [[5, 5], [0, 0]] {
        let setup = Setup::without_faults(stock, requests.to_vec());
        let (outcome, stored) = run_and_inspect(&setup, &wiring, |world| world.stored());
        assert_eq!(outcome.violations, [""; 0]);
        for (table, content) in &stored {
            let violations = person.undocumented(&places, table, content).unwrap();
            assert!(violations.is_empty(), "{}: {content}", violations.join("; "));
        }
        assert_eq!(
            person.data_in(&stored["OrdersTable"]),
            places["OrdersTable"],
            "the search finds what is there"
        );
    }
}
