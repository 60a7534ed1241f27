//! `cargo xtask down`

use terminal::{signals, ui};

use crate::container::Container;
use crate::emulator::Emulator;
use crate::instance::Instance;
use crate::scanner::Scanner;
use crate::stand_in::StandIn;

/// Stop the local stack. Its state is kept for the next `up`.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    if !stop(&Instance::developer())? {
        ui::note("nothing was running");
    }
    Ok(())
}

/// Stops a local stack. Returns whether any of it was running.
pub(crate) fn stop(instance: &Instance) -> anyhow::Result<bool> {
    let emulator = Emulator::new(instance);
    let stand_in = StandIn::new(instance);
    let container = Container::new(instance);
    let scanner = Scanner::new(instance);
    let running = [&emulator.service, &stand_in.service, &container.service, &scanner.service]
        .iter()
        .any(|service| service.pid().is_some());
    let progress = running.then(|| ui::Progress::start("stopping the local stack"));
    // All are stopped, even if one fails; a stack that is not running may have left processes and files
    // behind.
    let stopped = [emulator.stop(), stand_in.stop(), container.stop(), scanner.stop()];
    for result in stopped {
        result?;
    }
    if let Some(progress) = progress {
        progress.done("local stack stopped; its state is kept");
    }
    Ok(running)
}
