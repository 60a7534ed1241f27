//! Which actions can be taken in a state.

use super::{Protocol, waits};
use crate::action::{Action, Fault};
use crate::mutation::Mutation;
use crate::scope::{Card, Kind};
use crate::state::{Attempt, Case, Function, Letter, News, State, Status, Work};

impl Protocol {
    /// When a function's turn comes: those that nobody waits for have theirs after all others.
    fn rank(&self, function: Function) -> u8 {
        self.scope
            .last
            .iter()
            .position(|last| *last == function)
            .map_or(0, |at| u8::try_from(at).unwrap_or(0) + 1)
    }

    /// Whose turn it is in an order's affairs.
    fn turn(&self, case: &Case) -> u8 {
        let processing = case.intents.iter().any(|intent| intent.status == Status::Processing);
        if !case.outbox.is_empty() || processing {
            return 0;
        }
        let functions = case.queues.iter().map(|letter| letter.to);
        let running = case.attempts.iter().map(|attempt| attempt.letter.to);
        functions.chain(running).map(|function| self.rank(function)).min().unwrap_or(0)
    }

    /// Calls `yield_` with every action that can be taken; false from it ends the search.
    pub(crate) fn each_action(&self, state: &State, yield_: &mut dyn FnMut(Action) -> bool) {
        let may = |kind: Kind| state.faults > 0 && self.scope.kinds.contains(&kind);
        for (at, case) in state.cases.iter().enumerate() {
            let mut actions = Vec::new();
            if case.placed {
                self.environment(state, at, &mut actions);
                let turn = self.turn(case);
                for (number, attempt) in case.attempts.iter().enumerate() {
                    if self.rank(attempt.letter.to) != turn {
                        continue;
                    }
                    for (fault, card) in self.choices(case, at, attempt, &may) {
                        actions.push(Action::Go { case: at, attempt: number, fault, card });
                    }
                    let stalls = !matches!(attempt.letter.to, Function::OrdersApi | Function::ExpireOrders);
                    if !attempt.late && stalls && may(Kind::Stall) {
                        actions.push(Action::Stall { case: at, attempt: number });
                    }
                }
            } else {
                actions.push(Action::Place { case: at, torn: false });
                if self.is(Mutation::TornOutbox) && may(Kind::Crash) {
                    actions.push(Action::Place { case: at, torn: true });
                }
            }
            for action in actions {
                if !yield_(action) {
                    return;
                }
            }
        }
    }

    /// What does not come from a running attempt.
    fn environment(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let case = &state.cases[at];
        let may = |kind: Kind| state.faults > 0 && self.scope.kinds.contains(&kind);
        let running = |to: Function, news: Option<News>| {
            let about = |attempt: &Attempt| news.is_none_or(|news| attempt.letter.news == news);
            case.attempts.iter().any(|attempt| attempt.letter.to == to && about(attempt) && !attempt.late)
        };
        for news in case.outbox.iter().filter(|news| !running(Function::RelayOutbox, Some(**news))) {
            actions.push(Action::Relay { case: at, news: *news });
        }
        let turn = self.turn(case);
        let mut last = None;
        for letter in case.queues.iter().copied() {
            if last.replace(letter) == Some(letter) || self.rank(letter.to) != turn {
                continue;
            }
            let overdue = self.overdue(case, at, letter);
            if let Some(overdue) = overdue.filter(|_| !waits(case, letter) || state.faults > 0) {
                actions.push(Action::Deliver { case: at, letter, overdue, twice: false });
                if may(Kind::Duplicate) {
                    actions.push(Action::Deliver { case: at, letter, overdue, twice: true });
                }
            }
            if may(Kind::Bury) {
                actions.push(Action::Bury { case: at, letter });
            }
        }
        let mut last = None;
        for letter in case.dead.iter().copied() {
            if last.replace(letter) != Some(letter) {
                actions.push(Action::Redrive { case: at, letter });
            }
        }
        for (intent, _) in (0..).zip(&case.intents).filter(|(_, known)| known.status == Status::Processing) {
            actions.push(Action::Settle { case: at, intent, charged: true });
            actions.push(Action::Settle { case: at, intent, charged: false });
        }
        let Some(order) = case.order else { return };
        if order.outcome.is_none() {
            let quiet = self.is_quiet(case);
            let asked = order.cancellation.is_some();
            if !asked && state.cancellations > 0 && !running(Function::OrdersApi, None) {
                actions.push(Action::Cancel { case: at });
            }
            let early = !asked && state.expiries > 0 && !running(Function::ExpireOrders, None);
            if early || (quiet && !(asked && self.is(Mutation::AskOnce))) {
                actions.push(Action::Expire { case: at });
            }
        }
    }

    /// Whether a message can be taken up: `None` when a lease is in its way that is held, `true` when it has to have
    /// ended.
    fn overdue(&self, case: &Case, at: usize, letter: Letter) -> Option<bool> {
        let holder = match letter.to {
            Function::ProcessPayment | Function::VoidPayment => self.payment_barred_by(case, at),
            Function::SendEmail => self.mail_barred_by(case, letter.news),
            _ => None,
        };
        match holder {
            None => Some(false),
            Some(owner) if case.is_at_it(owner) && !self.is(Mutation::IgnoreLeases) => None,
            Some(_) => Some(true),
        }
    }

    /// Whether an action is no fault and no whim: such as these go on for ever when faults have stopped.
    pub(crate) fn is_calm(&self, state: &State, action: &Action) -> bool {
        match action {
            Action::Place { torn, .. } => !torn,
            Action::Deliver { case, letter, twice, .. } => !twice && !waits(&state.cases[*case], *letter),
            Action::Go { fault, .. } => *fault == Fault::None,
            Action::Relay { .. } | Action::Settle { .. } => true,
            Action::Expire { case } => self.is_quiet(&state.cases[*case]),
            Action::Stall { .. } | Action::Bury { .. } | Action::Redrive { .. } | Action::Cancel { .. } => {
                false
            }
        }
    }

    /// What can become of an attempt's next effect.
    fn choices(
        &self,
        case: &Case,
        at: usize,
        attempt: &Attempt,
        may: &dyn Fn(Kind) -> bool,
    ) -> Vec<(Fault, Option<Card>)> {
        let mut choices = vec![(Fault::None, None)];
        match attempt.work {
            Work::Pay { .. } => return self.payment_choices(case, at, attempt, may),
            // It reads only: a crash here is one after the effect before.
            Work::ReadAgain => return choices,
            Work::Ask { .. } | Work::GiveUpPayment { .. } | Work::GiveUpClaim { .. } => return choices,
            Work::Send { .. } if may(Kind::Lost) => {
                choices.extend([(Fault::LostBefore, None), (Fault::LostAfter, None)]);
            }
            Work::Publish(_) if self.is(Mutation::IgnoreRefusedEntries) && may(Kind::Lost) => {
                choices.push((Fault::LostBefore, None));
            }
            _ => {}
        }
        if may(Kind::Crash) {
            choices.push((Fault::Crash, None));
        }
        choices
    }
}
