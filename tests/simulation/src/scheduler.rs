//! An executor in virtual time. It runs one task at a time and advances its clock to the next timer, so that
//! a run takes no longer than its computation, and the same seed gives the same run.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use platform::lock;

/// Identifies a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(u64);

type Future = Pin<Box<dyn std::future::Future<Output = ()> + Send>>;

/// What happens when a timer fires.
enum Due {
    Wake(Waker),
    Job(Box<dyn FnOnce() + Send>),
    Ready(TaskId),
}

struct Timer {
    at: Duration,
    number: u64,
    due: Due,
}

/// Orders timers for the max-heap: the earliest first, and of two at the same time the one that was set
/// first.
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Timer {}

struct Task {
    /// `None` while the task is polled.
    future: Option<Future>,
    waker: Waker,
    killed: bool,
    stalled_until: Duration,
}

#[derive(Default)]
struct Core {
    now: Duration,
    numbers: u64,
    timers: BinaryHeap<Timer>,
    tasks: BTreeMap<TaskId, Task>,
    current: Option<TaskId>,
    jobs: u32,
}

type ReadyQueue = Arc<Mutex<VecDeque<TaskId>>>;

/// The executor. Clones share its state.
#[derive(Clone, Default)]
pub struct Scheduler {
    core: Arc<Mutex<Core>>,
    ready: ReadyQueue,
}

struct TaskWaker {
    task: TaskId,
    ready: ReadyQueue,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).push_back(self.task);
    }
}

impl Scheduler {
    /// The virtual time since the start.
    pub fn now(&self) -> Duration {
        lock(&self.core).now
    }

    /// Whether a task is stalled.
    pub fn is_stalled(&self, task: TaskId) -> bool {
        let core = lock(&self.core);
        core.tasks.get(&task).is_some_and(|found| found.stalled_until > core.now)
    }

    /// The running task, if there is one.
    pub fn current(&self) -> Option<TaskId> {
        lock(&self.core).current
    }

    /// Runs `work` as a new task.
    pub fn spawn(&self, work: impl std::future::Future<Output = ()> + Send + 'static) -> TaskId {
        let mut core = lock(&self.core);
        let task = TaskId(core.next());
        let waker = Waker::from(Arc::new(TaskWaker { task, ready: Arc::clone(&self.ready) }));
        let future: Future = Box::pin(work);
        let stalled_until = Duration::ZERO;
        core.tasks.insert(task, Task { future: Some(future), waker, killed: false, stalled_until });
        lock(&self.ready).push_back(task);
        task
    }

    /// Drops a task at its current `await`; a task that kills itself is dropped at its next one. Returns
    /// whether the task existed.
    pub fn kill(&self, task: TaskId) -> bool {
        let mut core = lock(&self.core);
        let Some(found) = core.tasks.get_mut(&task) else { return false };
        found.killed = true;
        // Dropped outside the lock: destructors of the task may use the scheduler.
        let killed = if found.future.is_some() { core.tasks.remove(&task) } else { None };
        drop(core);
        drop(killed);
        true
    }

    /// Stalls a task for `time`, like a frozen execution environment.
    pub fn stall(&self, task: TaskId, time: Duration) {
        let mut core = lock(&self.core);
        let until = core.now.saturating_add(time);
        if let Some(found) = core.tasks.get_mut(&task) {
            found.stalled_until = until;
        }
    }

    /// Runs `job` after `time`. It cannot be cancelled.
    pub fn schedule(&self, time: Duration, job: impl FnOnce() + Send + 'static) {
        lock(&self.core).set(time, Due::Job(Box::new(job)));
    }

    /// Runs `job` after `time`, like a message in flight: until then, [`Scheduler::is_idle`] is false.
    pub fn schedule_in_flight(&self, time: Duration, job: impl FnOnce() + Send + 'static) {
        let core = Arc::clone(&self.core);
        let mut locked = lock(&self.core);
        locked.jobs = locked.jobs.saturating_add(1);
        let arrives = move || {
            let mut core = lock(&core);
            core.jobs = core.jobs.saturating_sub(1);
            drop(core);
            job();
        };
        locked.set(time, Due::Job(Box::new(arrives)));
    }

    /// Whether no task is left and nothing is in flight.
    pub fn is_idle(&self) -> bool {
        let core = lock(&self.core);
        core.tasks.is_empty() && core.jobs == 0
    }

    /// Drops every task and timer. They hold what they work on, which holds this scheduler: without this
    /// call, neither would ever be freed.
    pub fn shut_down(&self) {
        loop {
            let mut core = lock(&self.core);
            let rest = (std::mem::take(&mut core.tasks), std::mem::take(&mut core.timers));
            core.jobs = 0;
            // Dropped outside the lock: destructors may use the scheduler.
            drop(core);
            lock(&self.ready).clear();
            if rest.0.is_empty() && rest.1.is_empty() {
                return;
            }
        }
    }

    /// Waits for `time`.
    pub fn sleep(&self, time: Duration) -> Sleep {
        let until = self.now().saturating_add(time);
        Sleep { scheduler: self.clone(), until, set: false }
    }

    /// Runs until `end`.
    pub fn run_until(&self, end: Duration) {
        loop {
            // Not in the condition of a `while let`, where the lock would be held for the whole body.
            let next = lock(&self.ready).pop_front();
            if let Some(task) = next {
                self.poll(task);
                continue;
            }
            let due = {
                let mut core = lock(&self.core);
                if core.timers.peek().is_none_or(|timer| timer.at > end) {
                    core.now = core.now.max(end);
                    return;
                }
                let Some(timer) = core.timers.pop() else { return };
                core.now = core.now.max(timer.at);
                timer.due
            };
            match due {
                Due::Wake(waker) => waker.wake(),
                Due::Job(job) => job(),
                Due::Ready(task) => lock(&self.ready).push_back(task),
            }
        }
    }

    fn poll(&self, id: TaskId) {
        let mut core = lock(&self.core);
        let now = core.now;
        let Some(task) = core.tasks.get_mut(&id) else { return };
        if task.stalled_until > now {
            let wait = task.stalled_until.saturating_sub(now);
            core.set(wait, Due::Ready(id));
            return;
        }
        let (waker, Some(mut future)) = (task.waker.clone(), task.future.take()) else { return };
        core.current = Some(id);
        drop(core);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut core = lock(&self.core);
        core.current = None;
        let killed = core.tasks.get(&id).is_none_or(|task| task.killed);
        if polled.is_ready() || killed {
            let done = core.tasks.remove(&id);
            drop(core);
            drop((done, future));
        } else if let Some(task) = core.tasks.get_mut(&id) {
            task.future = Some(future);
        }
    }
}

impl Core {
    fn next(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    fn set(&mut self, after: Duration, due: Due) {
        let (at, number) = (self.now.saturating_add(after), self.next());
        self.timers.push(Timer { at, number, due });
    }
}

/// The future of [`Scheduler::sleep`].
pub struct Sleep {
    scheduler: Scheduler,
    until: Duration,
    set: bool,
}

impl std::future::Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut core = lock(&self.scheduler.core);
        if core.now >= self.until {
            return Poll::Ready(());
        }
        if !self.set {
            let wait = self.until.saturating_sub(core.now);
            core.set(wait, Due::Wake(context.waker().clone()));
            drop(core);
            self.set = true;
        }
        Poll::Pending
    }
}
