//! The service that calls the functions: it hands out messages and rows, ends invocations that take too long, and
//! does what their answers say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use http::{Request, Response};
use platform::host::queue::Message;
use platform::memory::lock;

use crate::functions::{self, Answer, Api};
use crate::planted::Planted;
use crate::ports::Ports;
use crate::queue::Letter;
use crate::world::World;

/// When even a function that nobody listens to any more is gone.
const LONGEST_AFTERLIFE: Duration = Duration::from_secs(1800);

/// Starts an invocation, and ends it after `limit`: then, or when the function is killed, `done` does not get its
/// answer. A function that stands still at its end may go on later, with nobody listening to it.
fn invoke<T: Send + 'static>(
    world: &Arc<World>,
    function: &'static str,
    limit: Duration,
    work: impl FnOnce(Ports) -> futures::future::BoxFuture<'static, T>,
    done: impl FnOnce(Option<T>) + Send + 'static,
) {
    let caller = world.sim.caller(function);
    let ports = Ports { caller: caller.clone(), world: Arc::clone(world) };
    let work = work(ports);
    let ending = Ending::new(world, done);
    let at_end = ending.clone();
    let task = world.sim.scheduler.spawn(async move {
        let answer = work.await;
        at_end.answer(answer);
    });
    let world = Arc::clone(world);
    let scheduler = world.sim.scheduler.clone();
    scheduler.after(limit, move || {
        if ending.is_over() {
            return;
        }
        // Lambda freezes and thaws machines: what was given up is not always gone.
        let zombie = world.sim.scheduler.is_stalled(task);
        if zombie {
            let last = Arc::clone(&world);
            world.sim.scheduler.after(LONGEST_AFTERLIFE, move || {
                last.sim.scheduler.kill(task);
            });
        } else {
            world.sim.scheduler.kill(task);
        }
        caller.note(|| if zombie { "is given up, and goes on" } else { "is ended" }.to_owned());
        ending.give_up();
    });
}

type Done<T> = Arc<std::sync::Mutex<Option<Box<dyn FnOnce(Option<T>) + Send>>>>;

/// What is done once, with the answer or without one.
struct Ending<T> {
    over: Arc<AtomicBool>,
    done: Done<T>,
    world: Arc<World>,
}

impl<T> Clone for Ending<T> {
    fn clone(&self) -> Self {
        Self { over: Arc::clone(&self.over), done: Arc::clone(&self.done), world: Arc::clone(&self.world) }
    }
}

impl<T> Ending<T> {
    fn new(world: &Arc<World>, done: impl FnOnce(Option<T>) + Send + 'static) -> Self {
        Self {
            over: Arc::default(),
            done: Arc::new(std::sync::Mutex::new(Some(Box::new(done)))),
            world: Arc::clone(world),
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn answer(&self, answer: T) {
        let lost = self.world.sim.strikes(|swarm| swarm.lose_answer);
        if !self.is_over() {
            self.end(if lost { None } else { Some(answer) });
        }
    }

    fn give_up(&self) {
        self.end(None);
    }

    fn end(&self, answer: Option<T>) {
        self.over.store(true, Ordering::Relaxed);
        let done = lock(&self.done).take();
        if let Some(done) = done {
            done(answer);
        }
    }
}

/// Has a function called with what its queue holds, after `wait`.
pub fn poll_queue(world: &Arc<World>, queue: usize, wait: Duration) {
    let polled = Arc::clone(world);
    world.sim.scheduler.after(wait, move || hand_out(&polled, queue));
}

fn hand_out(world: &Arc<World>, index: usize) {
    let now = world.sim.scheduler.now();
    let mut queues = lock(&world.queues);
    let Some(queue) = queues.get_mut(index) else { return };
    let mut visible = queue.visible(now);
    if world.sim.swarm().is_some() {
        world.sim.chance(|rng| rng.shuffle(&mut visible));
    }
    let more = visible.len() > queue.subscription.batch_size;
    visible.truncate(queue.subscription.batch_size);
    let received = visible.into_iter().filter_map(|id| Some((id, queue.receive(id, now)?)));
    let batch: Vec<Message> = received
        .map(|(id, message)| Message {
            id: id.to_string(),
            receipt_handle: message.receipt.to_string(),
            body: message.body.to_string(),
            attempt: message.receives,
        })
        .collect();
    let (function, visibility) =
        (functions::binary(&queue.subscription.function), queue.subscription.visibility);
    drop(queues);
    if more {
        poll_queue(world, index, world.sim.soon(Duration::from_millis(200)));
    }
    if batch.is_empty() {
        return;
    }
    poll_queue(world, index, visibility);
    let receipts: Vec<(String, u64)> = batch
        .iter()
        .filter_map(|message| Some((message.id.clone(), message.receipt_handle.parse().ok()?)))
        .collect();
    let limit = world.wiring.timeout;
    let answered = Arc::clone(world);
    invoke(
        world,
        function,
        limit,
        |ports| Box::pin(functions::batch(ports, index, batch, limit)),
        move |failures: Option<Vec<String>>| {
            let Some(mut failures) = failures else { return };
            if answered.has(Planted::SuccessForFailedRecord) {
                failures.clear();
            }
            let mut queues = lock(&answered.queues);
            let Some(queue) = queues.get_mut(index) else { return };
            for (id, receipt) in receipts {
                if !failures.contains(&id) {
                    queue.delete(receipt);
                }
            }
        },
    );
}

/// Hides a message that was handed out for `wait`.
pub fn hide(world: &Arc<World>, queue: usize, receipt: u64, wait: Duration) {
    let until = world.sim.scheduler.now().saturating_add(wait);
    if let Some(queue) = lock(&world.queues).get_mut(queue) {
        queue.hide(receipt, until);
    }
    poll_queue(world, queue, wait);
}

/// Puts a message away.
pub fn bury(world: &Arc<World>, queue: usize, letter: Letter) {
    let function = lock(&world.queues).get(queue).map(|queue| queue.subscription.function.clone());
    let too_late =
        world.too_late_for_mails.load(Ordering::Relaxed) && function.as_deref() == Some("SendEmail");
    if letter.kind != "exhausted" && !too_late {
        world.violated(format!("a message was given up as {}: {}", letter.kind, letter.error));
    }
    if let Some(queue) = lock(&world.queues).get_mut(queue) {
        queue.dead.push(letter);
    }
}

/// Sends every dead letter back where it came from; tells how many there were.
pub fn redrive(world: &Arc<World>) -> usize {
    let letters: Vec<(usize, Vec<Letter>)> =
        lock(&world.queues).iter_mut().map(|queue| std::mem::take(&mut queue.dead)).enumerate().collect();
    let mut count = 0;
    for (queue, letters) in letters {
        for letter in letters {
            world.sim.note(|| format!("redriven: {}", letter.error));
            world.send(queue, letter.body);
            count += 1;
        }
    }
    count
}

/// Has the relay called with what the stream holds, after `wait`.
pub fn poll_stream(world: &Arc<World>, wait: Duration) {
    let polled = Arc::clone(world);
    world.sim.scheduler.after(wait, move || hand_out_rows(&polled));
}

fn hand_out_rows(world: &Arc<World>) {
    let mut stream = lock(&world.stream);
    if stream.busy || stream.rows.is_empty() {
        return;
    }
    // The first row was tried often enough: it is passed over, and stays in the table.
    if stream.attempts > world.wiring.stream_attempts {
        stream.rows.pop_front();
        stream.attempts = 0;
    }
    let rows: Vec<_> = stream.rows.iter().take(world.wiring.stream_batch).cloned().collect();
    if rows.is_empty() {
        return;
    }
    stream.busy = true;
    stream.attempts = stream.attempts.saturating_add(1);
    drop(stream);
    let limit = world.wiring.timeout;
    let answered = Arc::clone(world);
    let count = rows.len();
    invoke(
        world,
        "relay-outbox",
        limit,
        |ports| Box::pin(functions::relay(ports, rows, limit)),
        move |failed: Option<Option<String>>| {
            let mut stream = lock(&answered.stream);
            stream.busy = false;
            if let Some(failed) = failed {
                for _ in 0..count {
                    if stream.rows.front().is_none_or(|row| Some(&row.sequence_number) == failed.as_ref()) {
                        break;
                    }
                    stream.rows.pop_front();
                    stream.attempts = 0;
                }
            }
            let wait = Duration::from_secs(1).saturating_mul(stream.attempts.clamp(1, 60));
            let more = !stream.rows.is_empty();
            drop(stream);
            if more {
                poll_stream(&answered, wait);
            }
        },
    );
}

/// Has the schedule's function called.
pub fn run_schedule(world: &Arc<World>) {
    let limit = world.wiring.timeout;
    invoke(world, "expire-orders", limit, |ports| Box::pin(functions::expire(ports)), drop);
}

/// Calls a function behind the API. Its answer comes, or it is ended, and then none does.
pub fn invoke_api(world: &Arc<World>, api: Api, request: Request<Bytes>) -> Answer {
    let (sender, answer) = oneshot::channel();
    let limit = world.wiring.api_timeout;
    invoke(
        world,
        api.binary(),
        limit,
        |ports| Box::pin(api.answer(ports, request)),
        move |answered: Option<anyhow::Result<Response<Bytes>>>| {
            if let Some(Ok(response)) = answered {
                drop(sender.send(response));
            }
        },
    );
    answer
}
