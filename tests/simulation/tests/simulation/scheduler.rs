//! The executor in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform::lock;
use simulation::scheduler::Scheduler;

#[test]
fn time_advances_only_while_all_tasks_wait() {
    let scheduler = Scheduler::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for (name, seconds) in [("late", 7200), ("early", 3600)] {
        let (scheduler, seen) = (scheduler.clone(), Arc::clone(&seen));
        let inner = scheduler.clone();
        scheduler.spawn(async move {
            inner.sleep(Duration::from_secs(seconds)).await;
            lock(&seen).push((name, inner.now().as_secs()));
        });
    }
    scheduler.run_until(Duration::from_secs(10_000));
    assert_eq!(*lock(&seen), [("early", 3600), ("late", 7200)]);
    assert_eq!(scheduler.now().as_secs(), 10_000);
}

#[test]
fn a_killed_task_stops_and_a_stalled_one_resumes_later() {
    let scheduler = Scheduler::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let task = |name: &'static str| {
        let (inner, seen) = (scheduler.clone(), Arc::clone(&seen));
        scheduler.spawn(async move {
            inner.sleep(Duration::from_secs(1)).await;
            lock(&seen).push((name, inner.now().as_secs()));
        })
    };
    let (killed, stalled) = (task("killed"), task("stalled"));
    scheduler.run_until(Duration::from_millis(500));
    assert!(scheduler.kill(killed) && !scheduler.kill(killed));
    scheduler.stall(stalled, Duration::from_secs(60));
    scheduler.run_until(Duration::from_secs(100));
    assert_eq!(*lock(&seen), [("stalled", 60)]);
}

#[test]
fn nothing_that_a_task_or_a_timer_holds_outlives_the_shutdown() {
    let scheduler = Scheduler::default();
    let held = Arc::new(());
    let sleeping = (scheduler.clone(), Arc::clone(&held));
    scheduler.spawn(async move {
        sleeping.0.sleep(Duration::from_secs(60)).await;
        drop(sleeping);
    });
    let due = (scheduler.clone(), Arc::clone(&held));
    scheduler.schedule(Duration::from_secs(60), move || drop(due));
    scheduler.run_until(Duration::from_secs(1));
    assert_eq!(Arc::strong_count(&held), 3);
    scheduler.shut_down();
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(scheduler.is_idle());
}
