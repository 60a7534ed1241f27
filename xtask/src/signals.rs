//! Ctrl-C and `kill`: long commands end what they started instead of dying in the middle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From here on, the first Ctrl-C, SIGTERM or SIGHUP is noted instead of ending the process.
pub(crate) fn catch() -> anyhow::Result<()> {
    let flag = REQUESTED.get_or_init(|| Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

/// Fails once the person asked for an end.
pub(crate) fn check() -> anyhow::Result<()> {
    let requested = REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed));
    anyhow::ensure!(!requested, "stopped on request");
    Ok(())
}

/// Waits, and fails when the person asks for an end meanwhile (within a tenth of a second).
pub(crate) fn sleep(duration: Duration) -> anyhow::Result<()> {
    let mut left = duration;
    while !left.is_zero() {
        check()?;
        let nap = left.min(Duration::from_millis(100));
        std::thread::sleep(nap);
        left = left.saturating_sub(nap);
    }
    check()
}
