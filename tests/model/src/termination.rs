//! Checks that every run terminates once faults and external requests stop.
//!
//! `stateright` does not treat a cycle as a violation of an "eventually" property. Therefore every state of a
//! scope is visited again, the fault-free steps between the states are stored as a graph, and that graph must
//! be acyclic. Together with [`crate::property::Property::OrdersTerminate`] and
//! [`crate::property::Property::NothingHangs`], which hold where no fault-free step is left, this proves:
//! from every reachable state, once faults stop, every run terminates in a correct final state. An action
//! that changes nothing (a delivery that finds a lease held by an active owner) is not a step; the lease
//! owner has one.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use anyhow::Context;
use stateright::Model;

use crate::drive::Protocol;

/// The size of the graph of fault-free steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Termination {
    /// The number of distinct states.
    pub states: usize,
    /// The number of fault-free steps between them.
    pub steps: usize,
    /// The largest number of fault-free steps from any state to a state without one.
    pub longest_path: u32,
}

/// Explores every state of `protocol`. States are identified by a 64-bit hash, as in `stateright`.
///
/// # Errors
/// If fault-free steps form a cycle, or there are more than 2³² states.
pub fn check(protocol: &Protocol) -> anyhow::Result<Termination> {
    let hasher = RandomState::new();
    let mut numbers: HashMap<u64, u32> = HashMap::new();
    let mut waiting = VecDeque::new();
    for state in protocol.init_states() {
        numbers.insert(hasher.hash_one(&state), u32::try_from(waiting.len())?);
        waiting.push_back(state);
    }
    // The fault-free successors of state n are edges[ends[n - 1]..ends[n]].
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
            if protocol.is_fault_free(&state, &action) {
                edges.push(number);
            }
        }
        ends.push(edges.len());
    }
    let longest_path = longest_path(&edges, &ends).context("fault-free steps form a cycle")?;
    Ok(Termination { states: numbers.len(), steps: edges.len(), longest_path })
}

/// The length of the longest path in edges; `None` if there is a cycle.
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
    fn a_cycle_is_detected_and_a_diamond_is_not_a_cycle() {
        // 0 → 1, 2; 1 → 3; 2 → 3.
        assert_eq!(longest_path(&[1, 2, 3, 3], &[2, 3, 4, 4]), Some(2));
        // 0 → 1 → 2 → 1.
        assert_eq!(longest_path(&[1, 2, 1], &[1, 2, 3]), None);
        // 0 → 0.
        assert_eq!(longest_path(&[0], &[1]), None);
    }
}
