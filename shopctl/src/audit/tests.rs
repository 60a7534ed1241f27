//! The identity of violations, and PaymentIntents of other stacks.

use invariants::Intent;

use super::*;

fn violation(rule: Rule, order: Option<u128>, detail: &str) -> Violation {
    Violation {
        rule,
        order_id: order.map(|id| OrderId::from(uuid::Uuid::from_u128(id))),
        detail: detail.to_owned(),
    }
}

#[test]
fn changing_numbers_do_not_make_another_violation() {
    let queue = |detail| key(&violation(Rule::NothingHangs, None, detail));
    assert_eq!(queue("12 messages wait in TrackOrderQueue"), queue("3 messages wait in TrackOrderQueue"));
    assert_ne!(queue("3 messages wait in TrackOrderQueue"), queue("3 messages wait in SendEmailQueue"));
    let stock = |detail| key(&violation(Rule::StockIsReserved, None, detail));
    assert_eq!(stock("TEA-001: 4 held and 1 sold"), stock("TEA-001: 5 held and 1 sold"));
    assert_ne!(stock("TEA-001: 4 held and 1 sold"), stock("MUG-001: 4 held and 1 sold"));
    let order = |detail| key(&violation(Rule::OneCapture, Some(1), detail));
    assert_ne!(order("was charged 2 times"), order("was charged 3 times"));
}

#[test]
fn the_product_of_a_violation_is_read_from_its_detail() {
    let sku = |rule, detail| sku_of(&violation(rule, None, detail)).map(|sku| sku.to_string());
    assert_eq!(sku(Rule::StockIsConserved, "TEA-001: 1 available").as_deref(), Some("TEA-001"));
    assert_eq!(sku(Rule::StockIsReserved, "TEA-001 is no product").as_deref(), Some("TEA-001"));
    assert_eq!(sku(Rule::NothingHangs, "TEA-001: x"), None);
}

#[test]
fn captures_for_unknown_orders_are_counted_but_not_checked() {
    let intent = |captured| Intent {
        id: "pi_1".parse().unwrap(),
        order_id: OrderId::from(uuid::Uuid::from_u128(7)),
        captured,
        refunded: 0,
    };
    let snapshot = Snapshot { intents: vec![intent(0), intent(500)], ..Snapshot::default() };
    let mut observed = Observation { snapshot, ..Observation::default() };
    observed.separate_foreign_intents();
    assert_eq!(observed.foreign_intents, (2, 1));
    assert_eq!(find_violations(&observed, Phase::Settled), []);
}
