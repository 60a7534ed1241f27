//! That calm executions end: from no state can the system go on for ever without a fault and without a whim.
//!
//! `stateright` does not see a cycle as a violation of "eventually". So every state of a scope is visited once
//! more, the calm steps between them are kept as a graph, and that graph must have no cycle. With
//! [`crate::property::Property::OrdersEnd`] and [`crate::property::Property::NothingHangs`], which hold where no
//! calm step is left, this makes: from every reachable state, once faults stop, every execution ends, and ends well.
//! Steps that change nothing (a message that finds a lease held by somebody who is at it) are no steps; whoever
//! holds the lease has one.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use anyhow::Context;
use stateright::Model;

use crate::drive::Protocol;

/// What calm executions look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calm {
    /// Different states.
    pub states: usize,
    /// Calm steps between them.
    pub steps: usize,
    /// The most steps from any state to rest.
    pub longest: u32,
}

/// Explores every state of `protocol`. States are told apart by 64 bits of hash, as `stateright` does.
///
/// # Errors
/// When there is a cycle of calm steps, or there are more states than can be numbered.
pub fn check(protocol: &Protocol) -> anyhow::Result<Calm> {
    let hasher = RandomState::new();
    let mut numbers: HashMap<u64, u32> = HashMap::new();
    let mut waiting = VecDeque::new();
    for state in protocol.init_states() {
        numbers.insert(hasher.hash_one(&state), u32::try_from(waiting.len())?);
        waiting.push_back(state);
    }
    // The calm successors of state n are edges[ends[n - 1]..ends[n]].
    let (mut edges, mut ends) = (Vec::new(), Vec::new());
    let mut actions = Vec::new();
    while let Some(state) = waiting.pop_front() {
        protocol.actions(&state, &mut actions);
        for action in actions.drain(..) {
            let Some(next) = protocol.next_state(&state, action) else { continue };
            let count = u32::try_from(numbers.len()).context("too many states")?;
            let number = match numbers.entry(hasher.hash_one(&next)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    waiting.push_back(next);
                    *new.insert(count)
                }
            };
            if protocol.is_calm(&state, &action) {
                edges.push(number);
            }
        }
        ends.push(edges.len());
    }
    let longest = longest_path(&edges, &ends).context("calm steps can go round in a circle")?;
    Ok(Calm { states: numbers.len(), steps: edges.len(), longest })
}

/// The most edges on any path; `None` where there is a cycle.
fn longest_path(edges: &[u32], ends: &[usize]) -> Option<u32> {
    let mut before = vec![0_u32; ends.len()];
    for edge in edges {
        before[usize::try_from(*edge).ok()?] += 1;
    }
    let mut free: Vec<usize> = (0..ends.len()).filter(|node| before[*node] == 0).collect();
    let mut length = vec![0_u32; ends.len()];
    let mut done = 0;
    while let Some(node) = free.pop() {
        done += 1;
        let from = if node == 0 { 0 } else { ends[node - 1] };
        for edge in &edges[from..ends[node]] {
            let next = usize::try_from(*edge).ok()?;
            length[next] = length[next].max(length[node] + 1);
            before[next] -= 1;
            if before[next] == 0 {
                free.push(next);
            }
        }
    }
    (done == ends.len()).then(|| length.iter().copied().max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::longest_path;

    #[test]
    fn a_cycle_is_found_and_a_diamond_is_none() {
        // 0 → 1, 2; 1 → 3; 2 → 3.
        assert_eq!(longest_path(&[1, 2, 3, 3], &[2, 3, 4, 4]), Some(2));
        // 0 → 1 → 2 → 1.
        assert_eq!(longest_path(&[1, 2, 1], &[1, 2, 3]), None);
        // 0 → 0.
        assert_eq!(longest_path(&[0], &[1]), None);
    }
}
