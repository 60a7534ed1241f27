//! Handles Ctrl-C and `kill`: long commands stop what they started instead of being killed halfway.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Handles Ctrl-C, SIGTERM and SIGHUP from now on: they request a stop instead of terminating the process.
///
/// # Errors
/// When a handler cannot be installed.
pub fn catch() -> anyhow::Result<()> {
    let flag = REQUESTED.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// Requests a stop, as Ctrl-C does.
pub fn request_stop() {
    REQUESTED.get_or_init(|| Arc::new(AtomicBool::new(false))).store(true, Ordering::Relaxed);
}

/// Ends this process when the reader of its output has ended, as in `… | head`. Otherwise printing panics.
///
/// # Errors
/// When the handler cannot be installed.
pub fn end_with_reader() -> anyhow::Result<()> {
    signal_hook::flag::register_conditional_default(SIGPIPE, Arc::new(AtomicBool::new(true)))?;
    Ok(())
}

/// Checks whether a stop was requested.
///
/// # Errors
/// When it was.
pub fn check() -> anyhow::Result<()> {
    let requested = REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed));
    anyhow::ensure!(!requested, "stopped on request");
    Ok(())
}

/// Sleeps; fails within a tenth of a second if a stop is requested.
///
/// # Errors
/// As for [`check`].
pub fn sleep(duration: Duration) -> anyhow::Result<()> {
    let mut left = duration;
    while !left.is_zero() {
        check()?;
        let nap = left.min(Duration::from_millis(100));
        std::thread::sleep(nap);
        left = left.saturating_sub(nap);
    }
    check()
}
