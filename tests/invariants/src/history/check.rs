//! The check of a history against its rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::order::OrderStatus;
use domain::{CustomerId, OrderId, VoidReason};

use super::{ClientRequest, ClientResponse, History, HistoryRule, HistoryViolation, Operation, OrderView};

/// Checks a history and returns its violations: of each rule and order the first.
pub fn check_history(history: &History) -> Vec<HistoryViolation> {
    let mut check = Check { history, placements: placements(history), found: BTreeMap::new() };
    let mut seen: BTreeMap<OrderId, Vec<Seen<'_>>> = BTreeMap::new();
    for (number, operation) in history.operations.iter().enumerate() {
        for view in operation.views() {
            check.view(number, view);
            seen.entry(view.id).or_default().push(Seen { number, operation, view: Some(view) });
        }
        if let ClientRequest::Get(order) | ClientRequest::Cancel(order) = operation.request
            && operation.views().is_empty()
        {
            seen.entry(order).or_default().push(Seen { number, operation, view: None });
        }
    }
    for (order, seen) in &seen {
        check.details(*order, seen);
        check.real_time(*order, seen);
        check.records(*order, seen);
    }
    check.lists(&seen);
    check.cancellations(&seen);
    check.keys();
    check.strays();
    check.found.into_values().collect()
}

/// What one operation says about one order.
#[derive(Clone, Copy)]
struct Seen<'a> {
    number: usize,
    operation: &'a Operation,
    /// The order in the response, if it is there.
    view: Option<&'a OrderView>,
}

impl Seen<'_> {
    fn is_list(&self) -> bool {
        self.operation.request == ClientRequest::List
    }

    /// Whether the view shows the order at the time of the request. A response to a placement shows the new
    /// order, also when it is replayed.
    fn is_current(&self) -> bool {
        !matches!(self.operation.request, ClientRequest::Place(_))
    }
}

/// The requests with one idempotency key of a customer.
#[derive(Default)]
struct Placement {
    /// The numbers of the requests.
    requests: Vec<usize>,
    /// The orders that the responses name.
    orders: BTreeSet<OrderId>,
    /// Whether a request has an unknown result.
    is_ambiguous: bool,
    /// Whether a request was refused.
    is_refused: bool,
}

fn placements(history: &History) -> BTreeMap<(&CustomerId, &str), Placement> {
    let mut placements: BTreeMap<_, Placement> = BTreeMap::new();
    for (number, operation) in history.operations.iter().enumerate() {
        let ClientRequest::Place(key) = &operation.request else { continue };
        let placement = placements.entry((&operation.customer, key.as_str())).or_default();
        placement.requests.push(number);
        placement.orders.extend(operation.views().iter().map(|view| view.id));
        placement.is_ambiguous |= operation.response == ClientResponse::Unknown;
        placement.is_refused |= matches!(operation.response, ClientResponse::Refused(_));
    }
    placements
}

struct Check<'a> {
    history: &'a History,
    placements: BTreeMap<(&'a CustomerId, &'a str), Placement>,
    found: BTreeMap<(HistoryRule, Option<OrderId>), HistoryViolation>,
}

impl<'a> Check<'a> {
    fn report(
        &mut self,
        rule: HistoryRule,
        order_id: Option<OrderId>,
        operations: impl IntoIterator<Item = usize>,
        what: &str,
    ) {
        let operations: Vec<usize> = operations.into_iter().collect();
        let all = &self.history.operations;
        let named = operations
            .iter()
            .filter_map(|number| Some(format!("\n      operation {number}: {}", all.get(*number)?)));
        let detail = format!("{what}{}", named.collect::<String>());
        let violation = HistoryViolation { rule, order_id, operations, detail };
        self.found.entry((rule, order_id)).or_insert(violation);
    }

    fn invoked_at(&self, number: usize) -> Duration {
        self.history.operations.get(number).map_or(Duration::MAX, |operation| operation.invoked_at)
    }

    /// Checks one order in one response, by itself and against what was requested before.
    fn view(&mut self, number: usize, view: &OrderView) {
        let Some(operation) = self.history.operations.get(number) else { return };
        let order = Some(view.id);
        if view.customer != operation.customer {
            self.report(
                HistoryRule::OwnOrdersOnly,
                order,
                [number],
                "a customer sees the order of another one",
            );
        }
        let is_possible = view.state.is_possible()
            || (self.history.cancelled_by_others.contains(&view.id)
                && view.state.is_possible_for_another_reason());
        let mut not_real = |what: &str| self.report(HistoryRule::SeenIsReal, order, [number], what);
        match &operation.request {
            ClientRequest::Get(id) | ClientRequest::Cancel(id) if *id != view.id => {
                not_real("the response shows another order than the one requested");
            }
            ClientRequest::Place(_)
                if view.state.status != OrderStatus::Placed || view.state.cancellation.is_some() =>
            {
                not_real("the response to a placement does not show a new order");
            }
            ClientRequest::Cancel(_) if !view.state.is_cancelled_or_cancelling() => {
                not_real("a cancellation is accepted, but the order in the response is not cancelled");
            }
            _ => {}
        }
        if !is_possible {
            not_real("no order can be in this state");
        }
        let Some(returned_at) = operation.returned_at else { return };
        let was_placed = self.placements.iter().any(|((customer, _), placement)| {
            **customer == view.customer
                && (placement.orders.contains(&view.id)
                    || (placement.orders.is_empty() && placement.is_ambiguous))
                && placement.requests.iter().any(|request| self.invoked_at(*request) <= returned_at)
        });
        if !was_placed {
            self.report(
                HistoryRule::SeenIsReal,
                order,
                [number],
                "no request before this response placed the order",
            );
        }
        let is_requested = view.state.cancellation != Some(VoidReason::CustomerRequest)
            || self.history.operations.iter().any(|earlier| {
                earlier.request == ClientRequest::Cancel(view.id) && earlier.invoked_at <= returned_at
            });
        if !is_requested {
            self.report(
                HistoryRule::SeenIsReal,
                order,
                [number],
                "no customer had requested this cancellation",
            );
        }
    }

    /// Checks that all operations show the same details of an order.
    fn details(&mut self, order: OrderId, seen: &[Seen<'_>]) {
        let mut views = seen.iter().filter_map(|one| Some((one.number, one.view?)));
        let Some((first, view)) = views.next() else { return };
        if let Some((other, _)) = views.find(|(_, other)| other.details != view.details) {
            let what = "the details of an order differ";
            self.report(HistoryRule::SeenIsReal, Some(order), [first, other], what);
        }
    }

    /// Checks each operation against all that ended before it began.
    fn real_time(&mut self, order: OrderId, seen: &[Seen<'_>]) {
        for earlier in seen {
            for later in seen {
                // A list may show what was current some time before it was requested.
                let lag = if later.is_list() { self.history.list_lag } else { Duration::ZERO };
                if !earlier.operation.returned_by(later.operation.invoked_at.saturating_sub(lag)) {
                    continue;
                }
                self.pair(order, earlier, later);
            }
        }
    }

    fn pair(&mut self, order: OrderId, earlier: &Seen<'_>, later: &Seen<'_>) {
        let both = [earlier.number, later.number];
        let is_own = earlier.operation.customer == later.operation.customer;
        match (earlier.view, later.view) {
            (Some(before), Some(after)) => {
                // What can follow a state that is not possible is unknown, unless it is final.
                let is_known = before.state.status.is_final()
                    || (before.state.is_possible() && after.state.is_possible());
                if later.is_current() && is_known && !before.state.can_become(&after.state) {
                    let what = format!("an order goes from {} back to {}", before.state, after.state);
                    self.report(HistoryRule::NeverBackwards, Some(order), both, &what);
                }
            }
            (Some(_), None) if later.operation.response == ClientResponse::NotFound && is_own => {
                let what = "an order is not found that was there before";
                self.report(HistoryRule::SeenIsFound, Some(order), both, what);
            }
            (Some(before), None)
                if later.operation.response == ClientResponse::TooLate
                    && before.state.status.is_final()
                    && !before.state.is_too_late_to_cancel() =>
            {
                let what = "a cancelled order is called too late to cancel";
                self.report(HistoryRule::NeverBackwards, Some(order), both, what);
            }
            (None, Some(after))
                if earlier.operation.response == ClientResponse::TooLate
                    && later.is_current()
                    && !after.state.is_too_late_to_cancel() =>
            {
                let what = format!("an order that was too late to cancel is then {}", after.state);
                self.report(HistoryRule::NeverBackwards, Some(order), both, &what);
            }
            _ => {}
        }
    }

    /// Checks what was seen of an order against the states that it had at the time.
    fn records(&mut self, order: OrderId, seen: &[Seen<'_>]) {
        let Some(records) = &self.history.records else { return };
        let states = records.get(&order).map(Vec::as_slice).unwrap_or_default();
        for one in seen.iter().filter(|one| one.is_current()) {
            let Some(returned_at) = one.operation.returned_at else { continue };
            let lag = if one.is_list() { self.history.list_lag } else { Duration::ZERO };
            let begins = one.operation.invoked_at.saturating_sub(lag);
            let mut current = states.iter().enumerate().filter(|(index, (from, _))| {
                let until = states.get(index.saturating_add(1)).map_or(Duration::MAX, |(next, _)| *next);
                *from <= returned_at && until >= begins
            });
            let is_real = match (one.view, &one.operation.response) {
                (Some(view), _) => current.any(|(_, (_, state))| *state == view.state),
                (None, ClientResponse::TooLate) => {
                    current.any(|(_, (_, state))| state.is_too_late_to_cancel())
                }
                (None, _) => true,
            };
            if !is_real {
                let what = "the order was not in this state at the time";
                self.report(HistoryRule::SeenIsReal, Some(order), [one.number], what);
            }
        }
    }

    /// Checks that lists are sorted, and show what their customer has seen before.
    fn lists(&mut self, seen: &BTreeMap<OrderId, Vec<Seen<'_>>>) {
        for (number, operation) in self.history.operations.iter().enumerate() {
            let ClientResponse::Page { orders, is_last } = &operation.response else { continue };
            if !orders.is_sorted_by(|newer, older| newer.id > older.id) {
                let what = "a list is not sorted, or shows an order twice";
                self.report(HistoryRule::ListIsComplete, None, [number], what);
            }
            let begins = operation.invoked_at.saturating_sub(self.history.list_lag);
            for (order, seen) in seen {
                let is_on_page = *is_last || orders.last().is_some_and(|last| *order > last.id);
                if !is_on_page || orders.iter().any(|view| view.id == *order) {
                    continue;
                }
                let before = seen.iter().find(|one| {
                    one.view.is_some_and(|view| view.customer == operation.customer)
                        && one.operation.returned_by(begins)
                });
                if let Some(before) = before {
                    let both = [before.number, number];
                    self.report(HistoryRule::ListIsComplete, Some(*order), both, "a list lacks an order");
                }
            }
        }
    }

    /// Checks that accepted cancellations are remembered and, in the end, decided.
    fn cancellations(&mut self, seen: &BTreeMap<OrderId, Vec<Seen<'_>>>) {
        for (order, seen) in seen {
            let accepted = seen
                .iter()
                .find(|one| matches!(one.operation.request, ClientRequest::Cancel(_)) && one.view.is_some());
            let Some(accepted) = accepted else { continue };
            for later in seen.iter().filter(|later| later.is_current()) {
                let Some(view) = later.view else { continue };
                let lag = if later.is_list() { self.history.list_lag } else { Duration::ZERO };
                let begins = later.operation.invoked_at.saturating_sub(lag);
                let both = [accepted.number, later.number];
                if accepted.operation.returned_by(begins) && view.state.cancellation.is_none() {
                    let what = "a cancellation was accepted, and is not recorded";
                    // An order that was cancelled at the provider is cancelled without a request.
                    if accepted.view.is_some_and(|view| view.state.cancellation.is_some()) {
                        self.report(HistoryRule::CancellationStands, Some(*order), both, what);
                    }
                }
                if self.history.settled_at.is_some_and(|at| begins >= at) && !view.state.status.is_final() {
                    let what = "a cancellation was accepted, and never decided";
                    self.report(HistoryRule::CancellationStands, Some(*order), both, what);
                }
            }
        }
    }

    /// Checks that one idempotency key has one order, and one order has one key.
    fn keys(&mut self) {
        let mut keys: BTreeMap<OrderId, usize> = BTreeMap::new();
        let mut wrong: Vec<(Option<OrderId>, Vec<usize>, &str)> = Vec::new();
        for placement in self.placements.values() {
            if placement.orders.len() > 1 {
                wrong.push((None, placement.requests.clone(), "one idempotency key created several orders"));
            }
            let first = placement.requests.first().copied().unwrap_or_default();
            for order in &placement.orders {
                if let Some(other) = keys.insert(*order, first) {
                    wrong.push((
                        Some(*order),
                        vec![other, first],
                        "two idempotency keys have the same order",
                    ));
                }
            }
        }
        for (order, operations, what) in wrong {
            self.report(HistoryRule::OneOrderPerKey, order, operations, what);
        }
    }

    /// Checks that no customer sees more orders than the requests can have created: one for each key with a
    /// success, and at most one for each other key with an unknown result.
    fn strays(&mut self) {
        let mut seen: BTreeMap<&CustomerId, BTreeMap<OrderId, usize>> = BTreeMap::new();
        for (number, operation) in self.history.operations.iter().enumerate() {
            for view in operation.views() {
                seen.entry(&view.customer).or_default().entry(view.id).or_insert(number);
            }
        }
        let customers: BTreeSet<&CustomerId> = seen.keys().copied().collect();
        for customer in customers {
            let own =
                || self.placements.iter().filter(move |((of, _), _)| *of == customer).map(|(_, one)| one);
            let known: BTreeSet<OrderId> = own().flat_map(|one| one.orders.iter().copied()).collect();
            let possible = own().filter(|one| one.orders.is_empty() && one.is_ambiguous).count();
            let orders = seen.get(customer).into_iter().flatten();
            let strays: Vec<usize> =
                orders.filter(|(id, _)| !known.contains(id)).map(|(_, number)| *number).collect();
            if strays.len() <= possible {
                continue;
            }
            let refused = own().filter(|one| one.orders.is_empty() && one.is_refused);
            let refused: Vec<usize> = refused.flat_map(|one| one.requests.iter().copied()).collect();
            let (rule, requests, what) = if refused.is_empty() {
                let all = own().flat_map(|one| one.requests.iter().copied()).collect();
                (HistoryRule::OneOrderPerKey, all, "there are more orders than idempotency keys")
            } else {
                (HistoryRule::RefusedLeavesNothing, refused, "a placement was refused, and left an order")
            };
            self.report(rule, None, requests.into_iter().chain(strays), what);
        }
    }
}
