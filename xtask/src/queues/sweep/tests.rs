//! A queue in memory, killed at every step.

use std::cell::RefCell;

use super::*;
use crate::queues::letter::tests::letter;

/// The queue and what it was emptied into. `left` counts down to the moment at which the process dies: from then on
/// nothing that it calls has any effect.
struct World {
    visible: Vec<DeadLetter>,
    leased: Vec<DeadLetter>,
    sent: Vec<String>,
    left: usize,
    /// Whether the answer of the last call is lost after its effect.
    after_effect: bool,
}

impl World {
    fn new(messages: usize) -> Self {
        let visible = (0..messages).map(|number| letter(&format!("m-{number}"), "{}")).collect();
        Self { visible, leased: Vec::new(), sent: Vec::new(), left: usize::MAX, after_effect: false }
    }

    fn step<T>(&mut self, effect: impl FnOnce(&mut Self) -> T) -> anyhow::Result<T> {
        if self.left == 0 {
            anyhow::bail!("killed");
        }
        self.left -= 1;
        if self.left == 0 && !self.after_effect {
            anyhow::bail!("killed before the effect");
        }
        let result = effect(self);
        anyhow::ensure!(self.left > 0, "killed after the effect");
        Ok(result)
    }

    fn leases_end(&mut self) {
        let leased = std::mem::take(&mut self.leased);
        self.visible.extend(leased);
    }
}

struct Queue<'a>(&'a RefCell<World>);

impl Broker for Queue<'_> {
    fn receive(&mut self) -> anyhow::Result<Vec<DeadLetter>> {
        self.0.borrow_mut().step(|world| {
            let count = world.visible.len().min(BATCH);
            let batch: Vec<DeadLetter> = world.visible.drain(..count).collect();
            world.leased.extend(batch.iter().cloned());
            batch
        })
    }

    fn give_back(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        self.0.borrow_mut().step(|world| {
            if let Some(at) = world.leased.iter().position(|other| other.id == letter.id) {
                let letter = world.leased.remove(at);
                world.visible.push(letter);
            }
        })
    }

    fn delete(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        self.0.borrow_mut().step(|world| {
            world.leased.retain(|other| other.id != letter.id);
            world.visible.retain(|other| other.id != letter.id);
        })
    }
}

fn redrive(world: &RefCell<World>, which: &Which) -> Swept {
    sweep(&mut Queue(world), which, Timestamp::from_second(100).unwrap(), &mut |letter| {
        world.borrow_mut().step(|world| world.sent.push(letter.id.clone()))?;
        Ok(Fate::Remove)
    })
}

#[test]
fn killed_at_any_step_no_message_is_lost_and_none_sent_more_than_once_per_kill() {
    for after_effect in [false, true] {
        let mut twice = 0;
        for kill_at in 1..60 {
            let world = RefCell::new(World { left: kill_at, after_effect, ..World::new(13) });
            assert!(redrive(&world, &Which::default()).stopped.is_some() || kill_at > 30, "{kill_at}");
            {
                let mut world = world.borrow_mut();
                for number in 0..13 {
                    let id = format!("m-{number}");
                    let there = world.visible.iter().chain(&world.leased).any(|letter| letter.id == id);
                    assert!(there || world.sent.contains(&id), "{id} is lost after step {kill_at}");
                }
                world.left = usize::MAX;
                world.leases_end();
            }
            assert!(redrive(&world, &Which::default()).stopped.is_none());
            let world = world.into_inner();
            assert!(
                world.visible.is_empty() && world.leased.is_empty(),
                "the same command goes on with the rest"
            );
            for number in 0..13 {
                let sent = world.sent.iter().filter(|id| **id == format!("m-{number}")).count();
                assert!((1..=2).contains(&sent), "m-{number} was sent {sent} times with one kill");
            }
            assert!(world.sent.len() <= 14, "one kill sends at most one message twice");
            twice += usize::from(world.sent.len() == 14);
        }
        assert!(twice > 0, "a kill between sending and removing is among the steps");
    }
}

#[test]
fn removing_first_would_lose_messages() {
    // The protection that the test above is about, off: the message is removed before it is sent.
    let mut lost = false;
    for kill_at in 1..60 {
        let world = RefCell::new(World { left: kill_at, ..World::new(13) });
        sweep(&mut Queue(&world), &Which::default(), Timestamp::from_second(100).unwrap(), &mut |letter| {
            Queue(&world).delete(letter)?;
            world.borrow_mut().step(|world| world.sent.push(letter.id.clone()))?;
            Ok(Fate::Remove)
        });
        let world = world.into_inner();
        lost |= world.visible.len() + world.leased.len() + world.sent.len() < 13;
    }
    assert!(lost);
}

#[test]
fn an_error_gives_back_at_once_what_was_received() {
    let world = RefCell::new(World::new(25));
    let mut sent = 0;
    let swept =
        sweep(&mut Queue(&world), &Which::default(), Timestamp::from_second(100).unwrap(), &mut |_| {
            sent += 1;
            anyhow::ensure!(sent < 4, "stopped on request");
            Ok(Fate::Remove)
        });
    assert_eq!(
        (swept.removed.len(), swept.stopped.unwrap().to_string()),
        (3, "stopped on request".to_owned())
    );
    let world = world.into_inner();
    assert_eq!((world.visible.len(), world.leased.len()), (22, 0));
}

#[test]
fn thousands_are_gone_through_and_those_not_meant_stay() {
    let world = RefCell::new(World::new(2_345));
    for letter in world.borrow_mut().visible.iter_mut().step_by(5) {
        letter.attributes.insert("kind".to_owned(), "reject".to_owned());
    }
    let which = Which { reason: Some("reject".to_owned()), ..Which::default() };
    let swept = redrive(&world, &which);
    assert!(swept.stopped.is_none());
    assert_eq!(swept.removed.len(), 469);
    assert_eq!(world.into_inner().visible.len(), 2_345 - 469);
}

#[test]
fn what_came_after_the_beginning_is_left_for_the_next_time() {
    let world = RefCell::new(World::new(3));
    world.borrow_mut().visible[1].sent_at = Timestamp::from_second(101).ok();
    let swept = redrive(&world, &Which::default());
    assert_eq!((swept.removed.len(), swept.newer), (2, 1));
    assert_eq!(world.into_inner().visible.len(), 1);
}

#[test]
fn leases_that_end_meanwhile_end_the_sweep_and_not_run_it_for_ever() {
    /// Hands out everything again and again.
    struct Forgetful(usize);
    impl Broker for Forgetful {
        fn receive(&mut self) -> anyhow::Result<Vec<DeadLetter>> {
            self.0 += 1;
            Ok((0..BATCH)
                .map(|number| letter(&format!("m-{}", (self.0 % 4) * BATCH + number), "{}"))
                .collect())
        }
        fn give_back(&mut self, _: &DeadLetter) -> anyhow::Result<()> {
            Ok(())
        }
        fn delete(&mut self, _: &DeadLetter) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let mut queue = Forgetful(0);
    let mut looked_at = 0;
    let began = Timestamp::from_second(100).unwrap();
    let swept = sweep(&mut queue, &Which::default(), began, &mut |_| {
        looked_at += 1;
        Ok(Fate::Stay)
    });
    assert_eq!((looked_at, swept.stayed), (40, 40), "each once");
    assert!(queue.0 < 20);
}
