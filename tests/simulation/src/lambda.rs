//! The Lambda service: it invokes the functions with messages and rows, ends invocations that time out, and
//! processes their responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use http::{Request, Response};
use platform::host::queue::Message;
use platform::lock;

use crate::functions::{self, Answer, Api};
use crate::mutation::Mutation;
use crate::ports::Ports;
use crate::queue::DeadLetter;
use crate::world::World;

/// After which time an abandoned invocation is killed.
const MAX_ZOMBIE_LIFETIME: Duration = Duration::from_secs(1800);

/// Starts an invocation, and ends it after `limit`. `done` gets the response; or `None` after a timeout, or
/// if the function is killed. A function that is stalled at the timeout may resume later; its response is
/// discarded.
fn invoke<T: Send + 'static>(
    world: &Arc<World>,
    function: &'static str,
    limit: Duration,
    work: impl FnOnce(Ports) -> futures::future::BoxFuture<'static, T>,
    done: impl FnOnce(Option<T>) + Send + 'static,
) {
    let caller = world.sim.new_caller(function);
    let ports = Ports { caller: caller.clone(), world: Arc::clone(world) };
    let work = work(ports);
    let completion = Completion::new(world, done);
    let at_end = completion.clone();
    let task = world.sim.scheduler.spawn(async move {
        let answer = work.await;
        at_end.answer(answer);
    });
    let world = Arc::clone(world);
    let scheduler = world.sim.scheduler.clone();
    scheduler.schedule(limit, move || {
        if completion.is_over() {
            return;
        }
        // Lambda freezes and thaws execution environments: an abandoned invocation is not always gone.
        let zombie = world.sim.scheduler.is_stalled(task);
        if zombie {
            let last = Arc::clone(&world);
            world.sim.scheduler.schedule(MAX_ZOMBIE_LIFETIME, move || {
                last.sim.scheduler.kill(task);
            });
        } else {
            world.sim.scheduler.kill(task);
        }
        caller.log(|| if zombie { "times out, and keeps running" } else { "times out" }.to_owned());
        completion.abandon();
    });
}

type Done<T> = Arc<std::sync::Mutex<Option<Box<dyn FnOnce(Option<T>) + Send>>>>;

/// A callback that runs once, with the response or without one.
struct Completion<T> {
    over: Arc<AtomicBool>,
    done: Done<T>,
    world: Arc<World>,
}

impl<T> Clone for Completion<T> {
    fn clone(&self) -> Self {
        Self { over: Arc::clone(&self.over), done: Arc::clone(&self.done), world: Arc::clone(&self.world) }
    }
}

impl<T> Completion<T> {
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
        let lost = self.world.sim.should_inject(|rates| rates.lose_response);
        if !self.is_over() {
            self.end(if lost { None } else { Some(answer) });
        }
    }

    fn abandon(&self) {
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

/// Invokes the function of a queue with its visible messages, after `wait`.
pub fn poll_queue(world: &Arc<World>, queue: usize, wait: Duration) {
    let polled = Arc::clone(world);
    world.sim.scheduler.schedule(wait, move || deliver_messages(&polled, queue));
}

fn deliver_messages(world: &Arc<World>, index: usize) {
    let now = world.sim.scheduler.now();
    let mut queues = lock(&world.queues);
    let Some(queue) = queues.get_mut(index) else { return };
    let mut visible = queue.visible(now);
    if world.sim.rates().is_some() {
        world.sim.random(|rng| rng.shuffle(&mut visible));
    }
    let more = visible.len() > queue.subscription.batch_size;
    visible.truncate(queue.subscription.batch_size);
    let received = visible.into_iter().filter_map(|id| Some((id, queue.receive(id, now)?)));
    let batch: Vec<Message> = received
        .map(|(id, message)| Message {
            id: id.to_string(),
            receipt_handle: message.receipt.to_string(),
            body: message.body.to_string(),
            attempt: message.receive_count,
        })
        .collect();
    let (function, visibility) =
        (functions::binary(&queue.subscription.function), queue.subscription.visibility);
    drop(queues);
    if more {
        poll_queue(world, index, world.sim.random_delay(Duration::from_millis(200)));
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
            if answered.has_mutation(Mutation::ReportFailureAsSuccess) {
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

/// Extends the visibility timeout of a received message to `wait` from now.
pub fn extend_visibility(world: &Arc<World>, queue: usize, receipt: u64, wait: Duration) {
    let until = world.sim.scheduler.now().saturating_add(wait);
    if let Some(queue) = lock(&world.queues).get_mut(queue) {
        queue.extend_visibility(receipt, until);
    }
    poll_queue(world, queue, wait);
}

/// Sends a message to the dead-letter queue.
pub fn send_to_dlq(world: &Arc<World>, queue: usize, letter: DeadLetter) {
    let function = lock(&world.queues).get(queue).map(|queue| queue.subscription.function.clone());
    let too_late =
        world.email_replay_expired.load(Ordering::Relaxed) && function.as_deref() == Some("SendEmail");
    let contradicts = letter.kind != "exhausted" && world.contradicts_order(&letter.body);
    if contradicts {
        // To redrive it would have the same result.
        return world.sim.log(|| format!("a contradiction is refused: {}", letter.error));
    }
    if letter.kind != "exhausted" && !too_late {
        world.report_violation(format!("a message went to the DLQ as {}: {}", letter.kind, letter.error));
    }
    if let Some(queue) = lock(&world.queues).get_mut(queue) {
        queue.dead_letters.push(letter);
    }
}

/// Redrives every dead-letter message, and returns their number.
pub fn redrive(world: &Arc<World>) -> usize {
    let letters: Vec<(usize, Vec<DeadLetter>)> = lock(&world.queues)
        .iter_mut()
        .map(|queue| std::mem::take(&mut queue.dead_letters))
        .enumerate()
        .collect();
    let mut count = 0;
    for (queue, letters) in letters {
        for letter in letters {
            world.sim.log(|| format!("redriven: {}", letter.error));
            world.send(queue, letter.body);
            count += 1;
        }
    }
    count
}

/// Invokes the relay with the rows of the stream, after `wait`.
pub fn poll_stream(world: &Arc<World>, wait: Duration) {
    let polled = Arc::clone(world);
    world.sim.scheduler.schedule(wait, move || deliver_rows(&polled));
}

fn deliver_rows(world: &Arc<World>) {
    let mut stream = lock(&world.stream);
    if stream.is_processing || stream.rows.is_empty() {
        return;
    }
    // The first row has exhausted its attempts: the stream skips it, and it stays in the table.
    if stream.attempts > world.wiring.stream_max_attempts {
        stream.rows.pop_front();
        stream.attempts = 0;
    }
    let rows: Vec<_> = stream.rows.iter().take(world.wiring.stream_batch).cloned().collect();
    if rows.is_empty() {
        return;
    }
    stream.is_processing = true;
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
            stream.is_processing = false;
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

/// Invokes the scheduled function.
pub fn run_schedule(world: &Arc<World>) {
    let limit = world.wiring.timeout;
    invoke(world, "expire-orders", limit, |ports| Box::pin(functions::expire(ports)), drop);
}

/// Invokes a function behind the API. The receiver gets the response, or is cancelled if the invocation ends
/// without one.
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
