//! What counts as the same violation, and whose PaymentIntents are ours.

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
fn figures_that_move_do_not_make_another_violation() {
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
fn a_product_is_read_off_its_violation() {
    let sku = |rule, detail| sku_of(&violation(rule, None, detail)).map(|sku| sku.to_string());
    assert_eq!(sku(Rule::StockIsConserved, "TEA-001: 1 available").as_deref(), Some("TEA-001"));
    assert_eq!(sku(Rule::StockIsReserved, "TEA-001 is no product").as_deref(), Some("TEA-001"));
    assert_eq!(sku(Rule::NothingHangs, "TEA-001: x"), None);
}

#[test]
fn money_for_an_order_that_nobody_knows_is_told_but_not_judged() {
    let intent = |captured| Intent {
        id: "pi_1".parse().unwrap(),
        order_id: OrderId::from(uuid::Uuid::from_u128(7)),
        captured,
        refunded: 0,
    };
    let snapshot = Snapshot { intents: vec![intent(0), intent(500)], ..Snapshot::default() };
    let mut look = Look { snapshot, ..Look::default() };
    look.set_strangers_aside();
    assert_eq!(look.strangers, (2, 1));
    assert_eq!(judge(&look, Phase::Settled), []);
}
