//! A function with its handler and ports, ready for one invocation by any kind of trigger.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use domain::EventPayload;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use platform::host::http::build_app;
use platform::host::queue::{Message, QueueHost};
use platform::host::record::DEADLINE_MARGIN;
use platform::host::schedule::Job;
use platform::host::stream::{Change, ChangeHandler, StreamHost};
use platform::host::trigger::Trigger;
use platform::retry::RetryPolicy;
use platform::{MessageHandler, Publisher};
use tower::ServiceExt;

use crate::lambda;
use crate::ports::Ports;
use crate::queue::DeadLetter;

/// The assembled handler of a function, by its kind of trigger.
pub enum Handler {
    /// It reads a queue.
    Queue(Box<dyn FnOnce(Batch) -> BoxFuture<'static, Vec<String>> + Send>),
    /// It reads the stream of a table.
    Stream(Box<dyn FnOnce(Changes) -> BoxFuture<'static, Option<String>> + Send>),
    /// It runs on a schedule.
    Job(Box<dyn Job>),
    /// It is behind the API.
    Api(Router),
    /// An AWS service waits for its result.
    Trigger(Box<dyn Trigger>),
}

/// A batch of a queue.
pub struct Batch {
    /// The index of the queue in the wiring.
    pub queue: usize,
    /// The received messages.
    pub messages: Vec<Message>,
    /// The timeout of the function.
    pub timeout: Duration,
}

/// A batch of a stream.
pub struct Changes {
    /// The changes, the oldest first.
    pub changes: Vec<Change>,
    /// The timeout of the function.
    pub timeout: Duration,
}

impl Handler {
    /// A function that reads a queue and publishes the events that its handler returns.
    pub fn queue<F: EventPayload>(
        ports: &Ports,
        handler: impl MessageHandler<F> + 'static,
        publisher: Arc<dyn Publisher<F>>,
    ) -> Self {
        let ports = ports.clone();
        Self::Queue(Box::new(move |batch| {
            let Batch { queue, messages, timeout } = batch;
            let wiring = Arc::clone(&ports.world.wiring);
            let max_attempts = wiring.subscriptions.get(queue).map_or(1, |it| it.max_receive_count);
            let port = Arc::new(QueuePort { ports: ports.clone(), queue });
            let host = QueueHost {
                function: ports.caller.function,
                handler,
                publisher,
                visibility: Arc::clone(&port) as Arc<_>,
                dead_letters: port,
                retry: RetryPolicy { base_delay: wiring.retry_base_delay, max_attempts },
                clock: Arc::new(ports.caller),
            };
            let time = timeout.saturating_sub(DEADLINE_MARGIN);
            async move { host.handle_batch(messages, time, "simulated").await }.boxed()
        }))
    }

    /// A function that reads the stream of a table.
    pub fn stream(ports: &Ports, handler: impl ChangeHandler + 'static) -> Self {
        let ports = ports.clone();
        Self::Stream(Box::new(move |batch| {
            let host = StreamHost {
                function: ports.caller.function,
                handler,
                dead_letters: Arc::new(StreamDeadLetters(ports.clone())),
                clock: Arc::new(ports.caller),
            };
            let time = batch.timeout.saturating_sub(DEADLINE_MARGIN);
            async move { host.handle_batch(batch.changes, time, "simulated").await }.boxed()
        }))
    }

    /// A function that runs on a schedule.
    pub fn job(job: impl Job + 'static) -> Self {
        Self::Job(Box::new(job))
    }

    /// A function behind the API.
    pub fn api(ports: &Ports, router: Router) -> Self {
        Self::Api(build_app(router, Arc::new(ports.caller.clone())))
    }
}

/// Handles one request.
///
/// # Errors
/// If the body of the response cannot be read.
pub async fn respond(router: Router, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
    let answer = router.oneshot(request.map(Body::from)).await?;
    let (parts, body) = answer.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// The queue of a function, as its host accesses it.
struct QueuePort {
    ports: Ports,
    queue: usize,
}

#[async_trait::async_trait]
impl platform::queue::Visibility for QueuePort {
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        let (world, queue) = (Arc::clone(&self.ports.world), self.queue);
        let receipt: u64 = receipt.parse()?;
        let extended = self.ports.caller.call("queue.extend_visibility_timeout", move || {
            lambda::extend_visibility(&world, queue, receipt, wait);
        });
        Ok(extended.await?)
    }
}

#[async_trait::async_trait]
impl platform::queue::DeadLetters for QueuePort {
    async fn send_to_dlq(&self, letter: &platform::queue::DeadLetter) -> anyhow::Result<()> {
        let (world, queue) = (Arc::clone(&self.ports.world), self.queue);
        let letter = DeadLetter {
            function: self.ports.caller.function,
            body: letter.body.as_str().into(),
            kind: letter.kind,
            error: letter.error.clone(),
        };
        let sent = self
            .ports
            .caller
            .call("queue.send_to_dlq", move || lambda::send_to_dlq(&world, queue, letter.clone()));
        Ok(sent.await?)
    }
}

/// The dead-letter queue of a stream. It reports a violation: every change in these runs is valid.
struct StreamDeadLetters(Ports);

#[async_trait::async_trait]
impl platform::queue::DeadLetters for StreamDeadLetters {
    async fn send_to_dlq(&self, letter: &platform::queue::DeadLetter) -> anyhow::Result<()> {
        let function = self.0.caller.function;
        self.0.world.report_violation(format!("{function} sent a change to the DLQ: {}", letter.error));
        Ok(())
    }
}
