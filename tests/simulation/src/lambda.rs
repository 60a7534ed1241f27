//! The Lambda service: it invokes the functions with messages, changes and requests, ends invocations that time
//! out, and processes their responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use http::{Request, Response};
use platform::host::queue::Message;
use platform::lock;

use serde_json::Value;

use crate::mutation::Mutation;
use crate::ports::Ports;
use crate::queue::DeadLetter;
use crate::services::handler::{Batch, Changes, Handler, respond};
use crate::services::{self, Function};
use crate::world::World;

/// After which time an abandoned invocation is killed.
const MAX_ZOMBIE_LIFETIME: Duration = Duration::from_secs(1800);

/// Starts an invocation, and ends it after the function's timeout. `done` gets the response; or `None` after a timeout, or
/// if the function is killed. A function that is stalled at the timeout may resume later; its response is
/// discarded. `is_error` says whether a response is a failure of the function.
fn invoke<T: Send + 'static>(
    world: &Arc<World>,
    function: Function,
    work: impl FnOnce(Handler, Duration) -> BoxFuture<'static, T>,
    is_error: fn(&T) -> bool,
    done: impl FnOnce(Option<T>) + Send + 'static,
) {
    let limit = world.wiring.timeout_of(function.name);
    let caller = world.sim.new_caller(function.name);
    let ports = Ports { caller: caller.clone(), world: Arc::clone(world) };
    let work = world.with_log(function.name, work((function.assemble)(&ports), limit));
    let (recorded, start) = (Arc::clone(world), world.sim.scheduler.now());
    let completion = Completion::new(world, move |answer: Option<T>| {
        let took = recorded.sim.scheduler.now().saturating_sub(start);
        recorded.record_invocation(function.name, took, answer.as_ref().is_none_or(is_error));
        done(answer);
    });
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
    let Some(function) = world.queue_function(index).filter(|it| !world.is_stopped(it.name)) else { return };
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
            is_redrive: false,
        })
        .collect();
    let visibility = queue.subscription.visibility;
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
    let answered = Arc::clone(world);
    invoke(
        world,
        function,
        |handler, timeout| match handler {
            Handler::Queue(run) => run(Batch { queue: index, messages: batch, timeout }),
            _ => unreachable!("{} reads no queue", function.name),
        },
        |_| false,
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
    let is_refused = letter.kind != "exhausted";
    if is_refused && world.contradicts_order(&letter.body) {
        // To redrive it would have the same result.
        return world.sim.log(|| format!("a contradiction is refused: {}", letter.error));
    }
    let service = services::function(letter.function).map(|function| function.service);
    let may_reject = service.is_some_and(|service| service.may_reject(world, &letter));
    if is_refused && !may_reject {
        let DeadLetter { function, kind, error, .. } = &letter;
        world.report_violation(format!("{function} sent a message to the DLQ as {kind}: {error}"));
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

/// Invokes the function of a stream with its changes, after `wait`.
pub fn poll_stream(world: &Arc<World>, stream: usize, wait: Duration) {
    let polled = Arc::clone(world);
    world.sim.scheduler.schedule(wait, move || deliver_changes(&polled, stream));
}

fn deliver_changes(world: &Arc<World>, index: usize) {
    let (Some(function), Some(mapping)) = (world.stream_function(index), world.wiring.streams.get(index))
    else {
        return;
    };
    if world.is_stopped(function.name) {
        return;
    }
    let mut streams = lock(&world.streams);
    let Some(stream) = streams.get_mut(index) else { return };
    if stream.is_processing || stream.changes.is_empty() {
        return;
    }
    // The first change has exhausted its attempts: the stream skips it.
    if stream.attempts > mapping.max_attempts {
        stream.exhausted.extend(stream.changes.pop_front());
        stream.attempts = 0;
    }
    let changes: Vec<_> = stream.changes.iter().take(mapping.batch_size).cloned().collect();
    let Some(last) = changes.last() else { return };
    if let Some(made_at) = stream.made_at.get(&last.sequence_number) {
        world.record_iterator_age(function.name, world.sim.scheduler.now().saturating_sub(*made_at));
    }
    stream.is_processing = true;
    stream.attempts = stream.attempts.saturating_add(1);
    drop(streams);
    let answered = Arc::clone(world);
    let count = changes.len();
    invoke(
        world,
        function,
        |handler, timeout| match handler {
            Handler::Stream(run) => run(Changes { changes, timeout }),
            _ => unreachable!("{} reads no stream", function.name),
        },
        |_| false,
        move |failed: Option<Option<String>>| {
            let mut streams = lock(&answered.streams);
            let Some(stream) = streams.get_mut(index) else { return };
            stream.is_processing = false;
            if let Some(failed) = failed {
                for _ in 0..count {
                    if stream.changes.front().is_none_or(|row| Some(&row.sequence_number) == failed.as_ref())
                    {
                        break;
                    }
                    stream.changes.pop_front();
                    stream.attempts = 0;
                }
            }
            let wait = Duration::from_secs(1).saturating_mul(stream.attempts.clamp(1, 60));
            let more = !stream.changes.is_empty();
            drop(streams);
            if more {
                poll_stream(&answered, index, wait);
            }
        },
    );
}

/// Invokes the functions whose schedules fell due since the last call.
pub fn run_schedules(world: &Arc<World>) {
    let now = world.sim.now();
    let last = std::mem::replace(&mut *lock(&world.schedules_run_at), now);
    for schedule in &world.wiring.schedules {
        let Some(function) = world.running(&schedule.function) else { continue };
        let has_work = || world.recording.is_some() || function.service.has_work(world, function.name);
        if schedule.times.fell_due(last, now) && !world.is_stopped(function.name) && has_work() {
            run_job(world, function, Value::Null, schedule.max_retries);
        }
    }
}

/// Invokes a scheduled function asynchronously: after a failure, Lambda waits one minute, then two, and retries
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
pub fn run_job(world: &Arc<World>, function: Function, input: Value, retries: u32) {
    attempt_job(world, function, input, retries, 1);
}

fn attempt_job(world: &Arc<World>, function: Function, input: Value, retries: u32, attempt: u32) {
    let (answered, again) = (Arc::clone(world), input.clone());
    world.running_jobs.fetch_add(1, Ordering::Relaxed);
    invoke(
        world,
        function,
        |handler, _| match handler {
            Handler::Job(job) => async move { job.run(input).await }.boxed(),
            _ => unreachable!("{} runs on no schedule", function.name),
        },
        Result::is_err,
        move |result: Option<anyhow::Result<Value>>| {
            answered.running_jobs.fetch_sub(1, Ordering::Relaxed);
            if let Some(Ok(_)) = result {
                lock(&answered.failed_jobs).remove(function.name);
            } else if attempt <= retries {
                let wait = Duration::from_secs(60).saturating_mul(attempt);
                let later = Arc::clone(&answered);
                answered.sim.scheduler.schedule_in_flight(wait, move || {
                    attempt_job(&later, function, again, retries, attempt.saturating_add(1));
                });
            } else {
                lock(&answered.failed_jobs).insert(function.name);
            }
        },
    );
}

/// The receiving end of a response.
pub type Answer = oneshot::Receiver<Response<Bytes>>;

/// Invokes a function behind the API, by the name of its binary. The receiver gets the response, or is cancelled
/// if the invocation ends without one.
pub fn invoke_api(world: &Arc<World>, name: &'static str, request: Request<Bytes>) -> Answer {
    let (sender, answer) = oneshot::channel();
    let (recorded, start) = (Arc::clone(world), world.sim.scheduler.now());
    let Some(function) = services::function(name) else {
        unreachable!("the simulation has no function {name}")
    };
    invoke(
        world,
        function,
        |handler, _| match handler {
            Handler::Api(router) => respond(router, request).boxed(),
            _ => unreachable!("{name} is not behind the API"),
        },
        Result::is_err,
        move |answered: Option<anyhow::Result<Response<Bytes>>>| {
            let status = answered.as_ref().and_then(|answer| Some(answer.as_ref().ok()?.status()));
            recorded.record_request(status, recorded.sim.scheduler.now().saturating_sub(start));
            if let Some(Ok(response)) = answered {
                drop(sender.send(response));
            }
        },
    );
    answer
}

/// Invokes a function as an AWS service that waits for its result. The receiver gets the result, or is cancelled if
/// there is none.
pub fn invoke_trigger(world: &Arc<World>, name: &'static str, event: Value) -> oneshot::Receiver<Value> {
    let (sender, answer) = oneshot::channel();
    let Some(function) = services::function(name) else {
        unreachable!("the simulation has no function {name}")
    };
    invoke(
        world,
        function,
        |handler, _| match handler {
            Handler::Trigger(trigger) => async move { trigger.handle(event).await }.boxed(),
            _ => unreachable!("{name} is not a trigger"),
        },
        Result::is_err,
        move |result: Option<anyhow::Result<Value>>| {
            if let Some(Ok(result)) = result {
                drop(sender.send(result));
            }
        },
    );
    answer
}
