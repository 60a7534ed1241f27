//! The actions that are possible in a state.

use super::{Protocol, provider_is_processing};
use crate::action::{Action, Fault};
use crate::mutation::Mutation;
use crate::scope::{Card, FaultKind};
use crate::state::{Attempt, EventKind, Function, Message, Saga, State, Status, Work};

impl Protocol {
    /// The scheduling priority of a function, 0 first. The deferred functions, whose writes no other step
    /// waits for, come after all others.
    fn priority(&self, function: Function) -> u8 {
        self.scope
            .deferred
            .iter()
            .position(|last| *last == function)
            .map_or(0, |at| u8::try_from(at).unwrap_or(0) + 1)
    }

    /// The priority of the functions that may run next for an order.
    fn current_priority(&self, saga: &Saga) -> u8 {
        let processing = saga.intents.iter().any(|intent| intent.status == Status::Processing);
        if !saga.outbox.is_empty() || processing {
            return 0;
        }
        let functions = saga.queues.iter().map(|message| message.to);
        let running = saga.attempts.iter().map(|attempt| attempt.message.to);
        functions.chain(running).map(|function| self.priority(function)).min().unwrap_or(0)
    }

    /// Calls `visit` with every possible action, until it returns false.
    pub(crate) fn for_each_action(&self, state: &State, visit: &mut dyn FnMut(Action) -> bool) {
        let may = |kind: FaultKind| state.faults > 0 && self.scope.fault_kinds.contains(&kind);
        for (at, saga) in state.sagas.iter().enumerate() {
            let mut actions = Vec::new();
            if saga.placed {
                self.environment_actions(state, at, &mut actions);
                let current = self.current_priority(saga);
                for (number, attempt) in saga.attempts.iter().enumerate() {
                    if self.priority(attempt.message.to) != current {
                        continue;
                    }
                    let faulty = self.scope.faulty;
                    let can_fail = faulty.is_empty() || faulty.contains(&attempt.message.to);
                    let may = |kind: FaultKind| can_fail && may(kind);
                    for (fault, card) in self.effect_choices(saga, at, attempt, &may) {
                        actions.push(Action::Advance { saga: at, attempt: number, fault, card });
                    }
                    let stalls = !matches!(attempt.message.to, Function::OrdersApi | Function::ExpireOrders);
                    if !attempt.is_stalled && stalls && may(FaultKind::Stall) {
                        actions.push(Action::Stall { saga: at, attempt: number });
                    }
                }
            } else {
                actions.push(Action::Place { saga: at, torn: false });
                if self.has_mutation(Mutation::TornOutbox) && may(FaultKind::Crash) {
                    actions.push(Action::Place { saga: at, torn: true });
                }
            }
            for action in actions {
                if !visit(action) {
                    return;
                }
            }
        }
    }

    /// Collects the actions that do not come from a running attempt.
    fn environment_actions(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let saga = &state.sagas[at];
        let may = |kind: FaultKind| state.faults > 0 && self.scope.fault_kinds.contains(&kind);
        let running = |to: Function, event: Option<EventKind>| {
            let about = |attempt: &Attempt| event.is_none_or(|event| attempt.message.event == event);
            saga.attempts
                .iter()
                .any(|attempt| attempt.message.to == to && about(attempt) && !attempt.is_stalled)
        };
        for event in saga.outbox.iter().filter(|event| !running(Function::RelayOutbox, Some(**event))) {
            actions.push(Action::Relay { saga: at, event: *event });
        }
        let current = self.current_priority(saga);
        let mut last = None;
        for message in saga.queues.iter().copied() {
            if last.replace(message) == Some(message) || self.priority(message.to) != current {
                continue;
            }
            let lease_expired = self.requires_expired_lease(saga, at, message);
            if let Some(lease_expired) =
                lease_expired.filter(|_| !provider_is_processing(saga, message) || state.faults > 0)
            {
                actions.push(Action::Deliver { saga: at, message, lease_expired, duplicate: false });
                if may(FaultKind::Duplicate) {
                    actions.push(Action::Deliver { saga: at, message, lease_expired, duplicate: true });
                }
            }
            if may(FaultKind::DeadLetter) {
                actions.push(Action::DeadLetter { saga: at, message });
            }
        }
        let mut last = None;
        for message in saga.dead_letters.iter().copied() {
            if last.replace(message) != Some(message) {
                actions.push(Action::Redrive { saga: at, message });
            }
        }
        for (intent, _) in (0..).zip(&saga.intents).filter(|(_, known)| known.status == Status::Processing) {
            actions.push(Action::FinishProcessing { saga: at, intent, charged: true });
            actions.push(Action::FinishProcessing { saga: at, intent, charged: false });
        }
        let Some(order) = saga.order else { return };
        if order.outcome.is_none() {
            let is_idle = self.is_idle(saga);
            let asked = order.cancellation.is_some();
            if !asked && state.cancellations > 0 && !running(Function::OrdersApi, None) {
                actions.push(Action::Cancel { saga: at });
            }
            let may_expire_early = !asked && state.expiries > 0 && !running(Function::ExpireOrders, None);
            if may_expire_early
                || (is_idle && !(asked && self.has_mutation(Mutation::RequestCancellationOnce)))
            {
                actions.push(Action::Expire { saga: at });
            }
        }
    }

    /// Whether the delivery of a message requires that another owner's lease has expired. `None` if the
    /// delivery has to wait, because the lease owner is active.
    fn requires_expired_lease(&self, saga: &Saga, at: usize, message: Message) -> Option<bool> {
        let holder = match message.to {
            Function::ProcessPayment | Function::VoidPayment => self.blocking_payment_owner(saga, at),
            Function::SendEmail => self.blocking_email_owner(saga, message.event),
            _ => None,
        };
        match holder {
            None => Some(false),
            Some(owner) if saga.is_owner_active(owner) && !self.has_mutation(Mutation::IgnoreLeases) => None,
            Some(_) => Some(true),
        }
    }

    /// Whether an action is neither a fault nor an optional external request, so that it also happens after
    /// faults have stopped.
    pub(crate) fn is_fault_free(&self, state: &State, action: &Action) -> bool {
        match action {
            Action::Place { torn, .. } => !torn,
            Action::Deliver { saga, message, duplicate, .. } => {
                !duplicate && !provider_is_processing(&state.sagas[*saga], *message)
            }
            Action::Advance { fault, .. } => *fault == Fault::None,
            Action::Relay { .. } | Action::FinishProcessing { .. } => true,
            Action::Expire { saga } => self.is_idle(&state.sagas[*saga]),
            Action::Stall { .. }
            | Action::DeadLetter { .. }
            | Action::Redrive { .. }
            | Action::Cancel { .. } => false,
        }
    }

    /// The possible results of an attempt's next effect.
    fn effect_choices(
        &self,
        saga: &Saga,
        at: usize,
        attempt: &Attempt,
        may: &dyn Fn(FaultKind) -> bool,
    ) -> Vec<(Fault, Option<Card>)> {
        let mut choices = vec![(Fault::None, None)];
        match attempt.work {
            Work::Pay { .. } => return self.payment_choices(saga, at, attempt, may),
            // It only reads: a crash here is equivalent to one after the previous effect.
            Work::ReadAgain | Work::ReadClaimAgain => return choices,
            Work::RequestCancellation { .. }
            | Work::ReleasePaymentLease { .. }
            | Work::ReleaseClaim { .. } => return choices,
            Work::SendEmail { .. } if may(FaultKind::NoResponse) => {
                choices.extend([(Fault::LostRequest, None), (Fault::LostResponse, None)]);
            }
            // The bus may reject the entry.
            Work::Publish(_) if may(FaultKind::NoResponse) => choices.push((Fault::LostRequest, None)),
            Work::Relay { published }
                if may(FaultKind::NoResponse) && published == self.removes_before_publishing() =>
            {
                choices.push((Fault::LostRequest, None));
            }
            _ => {}
        }
        if may(FaultKind::Crash) {
            choices.push((Fault::Crash, None));
        }
        choices
    }
}
