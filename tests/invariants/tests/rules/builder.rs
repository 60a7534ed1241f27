//! Histories that are written down operation by operation.

use std::time::Duration;

use domain::order::OrderStatus;
use domain::{CustomerId, Shortage, VoidReason};
use invariants::history::{
    ClientRequest, ClientResponse, History, HistoryRule, OrderState, OrderView, check_history,
};
use serde_json::json;

use crate::sample::id;

pub(crate) fn customer(name: &str) -> CustomerId {
    name.parse().unwrap()
}

/// The state with this status of an order whose cancellation its customer requested, if anybody did.
pub(crate) fn state(status: OrderStatus) -> OrderState {
    let cancellation = match status {
        OrderStatus::Cancelling | OrderStatus::Cancelled => Some(VoidReason::CustomerRequest),
        OrderStatus::Expired => Some(VoidReason::Expired),
        _ => None,
    };
    let shortage = || -> Shortage {
        serde_json::from_value(json!({ "sku": "TEA", "kind": "out_of_stock", "available": 0 })).unwrap()
    };
    let shortages = if status == OrderStatus::Rejected { vec![shortage()] } else { Vec::new() };
    OrderState { status, cancellation, shortages }
}

pub(crate) fn view(number: u8, state: OrderState) -> OrderView {
    OrderView { id: id(number), customer: customer("c"), state, details: json!({ "total": 500 }) }
}

/// Builds a history in which each operation takes a second, and begins when the previous one has ended.
#[derive(Default)]
pub(crate) struct Builder(pub(crate) History);

impl Builder {
    pub(crate) fn then(&mut self, request: ClientRequest, response: ClientResponse) -> &mut Self {
        let begin = Duration::from_secs(self.0.operations.len() as u64);
        let operation = self.0.invoke(customer("c"), request, begin);
        self.0.complete(operation, response, begin + Duration::from_secs(1));
        self
    }

    pub(crate) fn place(&mut self, key: &str, number: u8) -> &mut Self {
        let placed = view(number, state(OrderStatus::Placed));
        self.then(ClientRequest::Place(key.to_owned()), ClientResponse::Order(Box::new(placed)))
    }

    pub(crate) fn get_state(&mut self, state: OrderState) -> &mut Self {
        self.then(ClientRequest::Get(id(1)), ClientResponse::Order(Box::new(view(1, state))))
    }

    pub(crate) fn get(&mut self, status: OrderStatus) -> &mut Self {
        self.get_state(state(status))
    }

    pub(crate) fn list(&mut self, orders: &[(u8, OrderStatus)]) -> &mut Self {
        let orders = orders.iter().map(|(number, status)| view(*number, state(*status))).collect();
        self.then(ClientRequest::List, ClientResponse::Page { orders, is_last: true })
    }

    pub(crate) fn cancel(&mut self, response: ClientResponse) -> &mut Self {
        self.then(ClientRequest::Cancel(id(1)), response)
    }

    pub(crate) fn cancelled_as(&mut self, status: OrderStatus) -> &mut Self {
        self.cancel(ClientResponse::Order(Box::new(view(1, state(status)))))
    }

    /// Makes the last operation begin this many seconds earlier, so that it overlaps with those before it.
    pub(crate) fn begun_earlier(&mut self, seconds: u64) -> &mut Self {
        let last = self.0.operations.last_mut().unwrap();
        last.invoked_at = last.invoked_at.saturating_sub(Duration::from_secs(seconds));
        self
    }

    /// Records when the order had this state.
    pub(crate) fn recorded(&mut self, second: u64, status: OrderStatus) -> &mut Self {
        self.0.record_state(id(1), state(status), Duration::from_secs(second));
        self
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut History)) -> &mut Self {
        change(&mut self.0);
        self
    }

    #[track_caller]
    pub(crate) fn holds(&mut self) {
        assert_eq!(check_history(&self.0), []);
    }

    /// The history violates this rule and no other, and the violation names these operations.
    #[track_caller]
    pub(crate) fn violates(&mut self, rule: HistoryRule, operations: &[usize]) {
        let found = check_history(&self.0);
        let rules: Vec<HistoryRule> = found.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, [rule], "{found:#?}");
        assert_eq!(found[0].operations, operations, "{found:#?}");
        for number in operations {
            assert!(found[0].detail.contains(&format!("operation {number}: ")), "{}", found[0]);
        }
    }
}

pub(crate) fn history() -> Builder {
    Builder::default()
}

pub(crate) const UNKNOWN: ClientResponse = ClientResponse::Unknown;
