//! Sweeps of a queue in memory, killed at every step.

use std::cell::RefCell;

use super::*;
use crate::queues::message::tests::message;

/// The queue and the messages that were sent. The process dies when `steps_left` reaches zero: calls after
/// that have no effect.
struct World {
    visible: Vec<DeadLetterMessage>,
    in_flight: Vec<DeadLetterMessage>,
    sent: Vec<String>,
    steps_left: usize,
    /// Whether the last call takes effect, and only its response is lost.
    after_effect: bool,
}

impl World {
    fn new(messages: usize) -> Self {
        let visible = (0..messages).map(|number| message(&format!("m-{number}"), "{}")).collect();
        let (in_flight, sent) = (Vec::new(), Vec::new());
        Self { visible, in_flight, sent, steps_left: usize::MAX, after_effect: false }
    }

    fn step<T>(&mut self, effect: impl FnOnce(&mut Self) -> T) -> anyhow::Result<T> {
        if self.steps_left == 0 {
            anyhow::bail!("killed");
        }
        self.steps_left -= 1;
        if self.steps_left == 0 && !self.after_effect {
            anyhow::bail!("killed before the effect");
        }
        let result = effect(self);
        anyhow::ensure!(self.steps_left > 0, "killed after the effect");
        Ok(result)
    }

    fn end_visibility_timeouts(&mut self) {
        let in_flight = std::mem::take(&mut self.in_flight);
        self.visible.extend(in_flight);
    }
}

struct Queue<'a>(&'a RefCell<World>);

impl Broker for Queue<'_> {
    fn receive(&mut self) -> anyhow::Result<Vec<DeadLetterMessage>> {
        self.0.borrow_mut().step(|world| {
            let count = world.visible.len().min(MAX_BATCH);
            let batch: Vec<DeadLetterMessage> = world.visible.drain(..count).collect();
            world.in_flight.extend(batch.iter().cloned());
            batch
        })
    }

    fn release(&mut self, message: &DeadLetterMessage) -> anyhow::Result<()> {
        self.0.borrow_mut().step(|world| {
            if let Some(at) = world.in_flight.iter().position(|other| other.id == message.id) {
                let message = world.in_flight.remove(at);
                world.visible.push(message);
            }
        })
    }

    fn delete(&mut self, message: &DeadLetterMessage) -> anyhow::Result<()> {
        self.0.borrow_mut().step(|world| {
            world.in_flight.retain(|other| other.id != message.id);
            world.visible.retain(|other| other.id != message.id);
        })
    }
}

fn redrive(world: &RefCell<World>, filter: &MessageFilter) -> SweepResult {
    sweep(&mut Queue(world), filter, Timestamp::from_second(100).unwrap(), &mut |message| {
        world.borrow_mut().step(|world| world.sent.push(message.id.clone()))?;
        Ok(Disposition::Delete)
    })
}

#[test]
fn killed_at_any_step_no_message_is_lost_and_at_most_one_is_sent_twice() {
    for after_effect in [false, true] {
        let mut twice = 0;
        for kill_at in 1..60 {
            let world = RefCell::new(World { steps_left: kill_at, after_effect, ..World::new(13) });
            assert!(redrive(&world, &MessageFilter::default()).error.is_some() || kill_at > 30, "{kill_at}");
            {
                let mut world = world.borrow_mut();
                for number in 0..13 {
                    let id = format!("m-{number}");
                    let in_queue =
                        world.visible.iter().chain(&world.in_flight).any(|message| message.id == id);
                    assert!(in_queue || world.sent.contains(&id), "{id} is lost after step {kill_at}");
                }
                world.steps_left = usize::MAX;
                world.end_visibility_timeouts();
            }
            assert!(redrive(&world, &MessageFilter::default()).error.is_none());
            let world = world.into_inner();
            assert!(
                world.visible.is_empty() && world.in_flight.is_empty(),
                "the same command continues with the rest"
            );
            for number in 0..13 {
                let sent = world.sent.iter().filter(|id| **id == format!("m-{number}")).count();
                assert!((1..=2).contains(&sent), "m-{number} was sent {sent} times with one kill");
            }
            assert!(world.sent.len() <= 14, "one kill sends at most one message twice");
            twice += usize::from(world.sent.len() == 14);
        }
        assert!(twice > 0, "some steps are between sending and deleting a message");
    }
}

#[test]
fn deleting_first_would_lose_messages() {
    // Without the protection of the test above: the message is deleted before it is sent.
    let mut lost = false;
    for kill_at in 1..60 {
        let world = RefCell::new(World { steps_left: kill_at, ..World::new(13) });
        let (filter, began) = (MessageFilter::default(), Timestamp::from_second(100).unwrap());
        sweep(&mut Queue(&world), &filter, began, &mut |message| {
            Queue(&world).delete(message)?;
            world.borrow_mut().step(|world| world.sent.push(message.id.clone()))?;
            Ok(Disposition::Delete)
        });
        let world = world.into_inner();
        lost |= world.visible.len() + world.in_flight.len() + world.sent.len() < 13;
    }
    assert!(lost);
}

#[test]
fn received_messages_are_released_at_once_after_an_error() {
    let world = RefCell::new(World::new(25));
    let mut sent = 0;
    let (filter, began) = (MessageFilter::default(), Timestamp::from_second(100).unwrap());
    let result = sweep(&mut Queue(&world), &filter, began, &mut |_| {
        sent += 1;
        anyhow::ensure!(sent < 4, "stopped on request");
        Ok(Disposition::Delete)
    });
    assert_eq!(
        (result.deleted.len(), result.error.unwrap().to_string()),
        (3, "stopped on request".to_owned())
    );
    let world = world.into_inner();
    assert_eq!((world.visible.len(), world.in_flight.len()), (22, 0));
}

#[test]
fn thousands_of_messages_are_processed_and_those_that_do_not_match_are_kept() {
    let world = RefCell::new(World::new(2_345));
    for message in world.borrow_mut().visible.iter_mut().step_by(5) {
        message.attributes.insert("kind".to_owned(), "reject".to_owned());
    }
    let filter = MessageFilter { reason: Some("reject".to_owned()), ..MessageFilter::default() };
    let result = redrive(&world, &filter);
    assert!(result.error.is_none());
    assert_eq!(result.deleted.len(), 469);
    assert_eq!(world.into_inner().visible.len(), 2_345 - 469);
}

#[test]
fn messages_that_arrive_during_a_sweep_are_kept() {
    let world = RefCell::new(World::new(3));
    world.borrow_mut().visible[1].sent_at = Timestamp::from_second(101).ok();
    let result = redrive(&world, &MessageFilter::default());
    assert_eq!((result.deleted.len(), result.arrived), (2, 1));
    assert_eq!(world.into_inner().visible.len(), 1);
}

#[test]
fn a_sweep_ends_although_visibility_timeouts_end_during_it() {
    /// Delivers all messages again and again.
    struct Forgetful(usize);
    impl Broker for Forgetful {
        fn receive(&mut self) -> anyhow::Result<Vec<DeadLetterMessage>> {
            self.0 += 1;
            Ok((0..MAX_BATCH)
                .map(|number| message(&format!("m-{}", (self.0 % 4) * MAX_BATCH + number), "{}"))
                .collect())
        }
        fn release(&mut self, _: &DeadLetterMessage) -> anyhow::Result<()> {
            Ok(())
        }
        fn delete(&mut self, _: &DeadLetterMessage) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let mut queue = Forgetful(0);
    let mut processed = 0;
    let began = Timestamp::from_second(100).unwrap();
    let result = sweep(&mut queue, &MessageFilter::default(), began, &mut |_| {
        processed += 1;
        Ok(Disposition::Keep)
    });
    assert_eq!((processed, result.kept), (40, 40), "each once");
    assert!(queue.0 < 20);
}
