//! Stock and reservations under concurrent callers that read, pause and write.

use std::collections::BTreeMap;

use domain::reservation::{
    Decision, ProductStock, Reservation, ReservationState, StockChange, commit, release, reserve,
};
use domain::{Lines, Money, OrderId, Shortage, ShortageKind, Sku};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::sample::{cases, euros, line, order_id, sku, time};

const PRICE: i64 = 1000;

/// The counters of a product, with the total that was delivered.
#[derive(Debug, Clone)]
struct Counters {
    available: i64,
    held: i64,
    sold: i64,
    delivered: i64,
    price: Money,
}

/// The inventory's tables.
#[derive(Debug, Default)]
struct Store {
    products: BTreeMap<Sku, Counters>,
    reservations: BTreeMap<OrderId, Reservation>,
}

/// Which conditions a write checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conditions {
    /// All conditions that the rules demand.
    Checked,
    /// Fault: it does not check that the reservation is unchanged.
    ReservationIgnored,
    /// Fault: it does not check the stock.
    StockIgnored,
}

impl Store {
    fn on_sale(&self) -> BTreeMap<Sku, ProductStock> {
        let product = |(sku, counters): (&Sku, &Counters)| {
            let available = u32::try_from(counters.available).unwrap_or(0);
            (sku.clone(), ProductStock { available, price: counters.price })
        };
        self.products.iter().map(product).collect()
    }

    /// Writes in one transaction: all or nothing.
    fn write(
        &mut self,
        read: Option<&Reservation>,
        new: &Reservation,
        changes: &[StockChange],
        conditions: Conditions,
    ) -> bool {
        let unchanged = self.reservations.get(&new.order_id) == read;
        let allowed = changes.iter().all(|change| {
            self.products.get(&change.sku).is_some_and(|counters| {
                counters.available + change.available >= 0
                    && counters.held + change.held >= 0
                    && change.expected_price.is_none_or(|price| price == counters.price)
            })
        });
        if !(unchanged || conditions == Conditions::ReservationIgnored)
            || !(allowed || conditions == Conditions::StockIgnored)
        {
            return false;
        }
        for change in changes {
            let counters = self.products.get_mut(&change.sku).unwrap();
            counters.available += change.available;
            counters.held += change.held;
            counters.sold += change.sold;
        }
        self.reservations.insert(new.order_id, new.clone());
        true
    }

    /// Checks the invariants.
    fn check(&self) -> Result<(), TestCaseError> {
        for (sku, counters) in &self.products {
            let Counters { available, held, sold, delivered, .. } = *counters;
            prop_assert!(available >= 0 && held >= 0 && sold >= 0, "{}: {:?}", sku, counters);
            prop_assert_eq!(available + held + sold, delivered, "{}: {:?}", sku, counters);
            prop_assert_eq!(held, self.pieces(sku, &ReservationState::Held));
            prop_assert_eq!(sold, self.pieces(sku, &ReservationState::Committed));
        }
        Ok(())
    }

    fn pieces(&self, sku: &Sku, state: &ReservationState) -> i64 {
        let lines = self.reservations.values().filter(|r| r.state == *state).flat_map(|r| &r.lines);
        lines.filter(|line| line.sku == *sku).map(|line| i64::from(line.quantity.get())).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Reserve,
    Commit,
    Release,
}

/// A caller that has decided and has not written yet.
#[derive(Debug)]
struct Caller {
    order: u8,
    command: Command,
    read: Option<Reservation>,
    decision: Decision,
}

#[derive(Debug, Clone)]
enum Action {
    /// A caller reads and decides.
    Decide {
        order: u8,
        command: Command,
    },
    /// One of the callers writes, and decides again if the write fails.
    Write {
        caller: usize,
    },
    /// A write is sent twice, as when its response was lost.
    WriteTwice {
        caller: usize,
    },
    Deliver {
        product: u8,
        pieces: i64,
    },
    Reprice {
        product: u8,
        price: i64,
    },
}

/// Order `number` contains 1 to 3 of the products, so that the orders compete for stock.
fn lines(number: u8) -> Lines {
    let count = number % 3 + 1;
    let lines = (0..count).map(|i| line(sku((number + i) % 3), i64::from(number + i) % 4 + 1, euros(PRICE)));
    Lines::try_from(lines.collect::<Vec<_>>()).unwrap()
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let command =
        prop_oneof![3 => Just(Command::Reserve), 2 => Just(Command::Commit), 2 => Just(Command::Release)];
    let caller = 0..8_usize;
    let action = prop_oneof![
        6 => (0..6_u8, command).prop_map(|(order, command)| Action::Decide { order, command }),
        6 => caller.clone().prop_map(|caller| Action::Write { caller }),
        1 => caller.prop_map(|caller| Action::WriteTwice { caller }),
        1 => (0..3_u8, 1..=4_i64).prop_map(|(product, pieces)| Action::Deliver { product, pieces }),
        1 => (0..3_u8, prop_oneof![Just(PRICE), Just(PRICE + 1)])
            .prop_map(|(product, price)| Action::Reprice { product, price }),
    ];
    proptest::collection::vec(action, 0..80)
}

fn decide(store: &Store, order: u8, command: Command) -> Caller {
    let id = order_id(order);
    let read = store.reservations.get(&id).cloned();
    let decision = match command {
        Command::Reserve => reserve(read.as_ref(), id, &lines(order), &store.on_sale(), time(0)),
        Command::Commit => commit(read.as_ref(), id, time(0)),
        Command::Release => release(read.as_ref(), id, time(0)),
    };
    Caller { order, command, read, decision }
}

fn play(actions: &[Action], conditions: Conditions) -> Result<(), TestCaseError> {
    let mut store = Store::default();
    for product in 0..3 {
        let counters = Counters { available: 5, held: 0, sold: 0, delivered: 5, price: euros(PRICE) };
        store.products.insert(sku(product), counters);
    }
    let mut callers: Vec<Caller> = Vec::new();
    for action in actions {
        let before = store.reservations.clone();
        match action {
            Action::Decide { order, command } => callers.push(decide(&store, *order, *command)),
            Action::Write { caller } | Action::WriteTwice { caller } if !callers.is_empty() => {
                let caller = callers.remove(caller % callers.len());
                if let Decision::Write { reservation, changes } = &caller.decision {
                    let times = if matches!(action, Action::WriteTwice { .. }) { 2 } else { 1 };
                    let mut written = false;
                    for _ in 0..times {
                        written |= store.write(caller.read.as_ref(), reservation, changes, conditions);
                    }
                    if !written {
                        callers.push(decide(&store, caller.order, caller.command));
                    }
                }
            }
            Action::Write { .. } | Action::WriteTwice { .. } => {}
            Action::Deliver { product, pieces } => {
                let counters = store.products.get_mut(&sku(*product)).unwrap();
                counters.available += pieces;
                counters.delivered += pieces;
            }
            Action::Reprice { product, price } => {
                store.products.get_mut(&sku(*product)).unwrap().price = euros(*price);
            }
        }
        store.check()?;
        for (order, reservation) in &before {
            let now = &store.reservations[order];
            let is_final = reservation.state != ReservationState::Held;
            prop_assert!(!is_final || now == reservation, "{:?} became {:?}", reservation, now);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn stock_is_never_negative_or_lost_and_final_states_never_change(actions in actions()) {
        play(&actions, Conditions::Checked)?;
    }
}

#[test]
fn a_write_that_ignores_its_condition_is_detected() {
    for conditions in [Conditions::ReservationIgnored, Conditions::StockIgnored] {
        let outcome = TestRunner::new(cases(2000)).run(&actions(), |actions| play(&actions, conditions));
        assert!(outcome.is_err(), "{conditions:?} was not detected");
    }
}

fn stock(products: &[(u8, u32, i64)]) -> BTreeMap<Sku, ProductStock> {
    let product = |(number, available, price): &(u8, u32, i64)| {
        (sku(*number), ProductStock { available: *available, price: euros(*price) })
    };
    products.iter().map(product).collect()
}

fn written(decision: Decision) -> Reservation {
    match decision {
        Decision::Write { reservation, .. } => reservation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rejection_names_each_unavailable_line_and_reserves_nothing() {
    let ordered = vec![
        line(sku(1), 2, euros(PRICE)),
        line(sku(2), 3, euros(PRICE)),
        line(sku(3), 1, euros(PRICE)),
        line(sku(9), 1, euros(PRICE)),
    ];
    let ordered = Lines::try_from(ordered).unwrap();
    let stock = stock(&[(1, 2, PRICE), (2, 2, PRICE), (3, 9, PRICE + 1)]);
    let decision = reserve(None, order_id(1), &ordered, &stock, time(0));
    let Decision::Write { reservation, changes } = decision else { panic!("{decision:?}") };
    assert_eq!((reservation.lines.len(), changes.len()), (0, 0));
    let shortages = vec![
        Shortage { sku: sku(2), kind: ShortageKind::OutOfStock { available: 2 } },
        Shortage { sku: sku(3), kind: ShortageKind::PriceChanged { price: euros(PRICE + 1) } },
        Shortage { sku: sku(9), kind: ShortageKind::UnknownProduct },
    ];
    assert_eq!(reservation.state, ReservationState::Rejected { shortages });
}

#[test]
fn a_rejected_order_stays_rejected_after_a_stock_delivery() {
    let ordered = Lines::try_from(vec![line(sku(1), 2, euros(PRICE))]).unwrap();
    let rejected = written(reserve(None, order_id(1), &ordered, &stock(&[(1, 1, PRICE)]), time(0)));
    let plenty = stock(&[(1, 99, PRICE)]);
    let again = reserve(Some(&rejected), order_id(1), &ordered, &plenty, time(9));
    assert_eq!(again, Decision::Unchanged(rejected.clone()));
    assert_eq!(release(Some(&rejected), order_id(1), time(9)), Decision::Unchanged(rejected.clone()));
    assert!(matches!(commit(Some(&rejected), order_id(1), time(0)), Decision::Refuse(_)));
}

#[test]
fn an_order_that_was_released_before_it_arrived_reserves_nothing() {
    let tombstone = written(release(None, order_id(1), time(0)));
    assert_eq!(tombstone.state, ReservationState::Released);
    let ordered = Lines::try_from(vec![line(sku(1), 1, euros(PRICE))]).unwrap();
    let late = reserve(Some(&tombstone), order_id(1), &ordered, &stock(&[(1, 9, PRICE)]), time(0));
    assert_eq!(late, Decision::Unchanged(tombstone));
}

#[test]
fn committed_stock_is_not_released_and_released_stock_is_not_committed() {
    let ordered = Lines::try_from(vec![line(sku(1), 1, euros(PRICE))]).unwrap();
    let held = written(reserve(None, order_id(1), &ordered, &stock(&[(1, 9, PRICE)]), time(0)));
    let committed = written(commit(Some(&held), order_id(1), time(5)));
    let released = written(release(Some(&held), order_id(1), time(6)));
    assert_eq!(
        (&committed.state, &released.state),
        (&ReservationState::Committed, &ReservationState::Released)
    );
    assert_eq!((&committed.lines, &released.lines), (&held.lines, &held.lines));
    assert_eq!([&held, &committed, &released].map(|it| it.changed_at), [time(0), time(5), time(6)]);
    assert_eq!([&held, &committed, &released].map(|it| it.created_at), [time(0); 3]);
    for refused in [
        commit(Some(&released), order_id(1), time(0)),
        release(Some(&committed), order_id(1), time(0)),
        commit(None, order_id(1), time(0)),
    ] {
        assert!(matches!(refused, Decision::Refuse(_)), "{refused:?}");
    }
    assert_eq!(commit(Some(&committed), order_id(1), time(9)), Decision::Unchanged(committed));
    assert_eq!(release(Some(&released), order_id(1), time(9)), Decision::Unchanged(released));
}

/// The lines that are confirmed are charged: they have to be those that are reserved.
#[test]
fn a_repeated_order_has_the_lines_that_are_reserved() {
    let lines = |pieces| Lines::try_from(vec![line(sku(1), pieces, euros(PRICE))]).unwrap();
    let plenty = stock(&[(1, 9, PRICE)]);
    let held = written(reserve(None, order_id(1), &lines(2), &plenty, time(0)));
    let committed = written(commit(Some(&held), order_id(1), time(1)));
    for stored in [&held, &committed] {
        let repeated = |pieces| reserve(Some(stored), order_id(1), &lines(pieces), &plenty, time(2));
        assert_eq!(repeated(2), Decision::Unchanged(stored.clone()));
        assert!(matches!(repeated(3), Decision::Refuse(_)), "{stored:?}");
    }
    let released = written(release(Some(&held), order_id(1), time(1)));
    let late = reserve(Some(&released), order_id(1), &lines(3), &plenty, time(2));
    assert_eq!(late, Decision::Unchanged(released), "nothing is charged");
}

#[test]
fn the_name_of_a_state_is_that_in_json() {
    let rejected = ReservationState::Rejected { shortages: Vec::new() };
    for state in [ReservationState::Held, ReservationState::Committed, ReservationState::Released, rejected] {
        assert_eq!(serde_json::to_value(&state).unwrap()["state"], state.name());
    }
}
