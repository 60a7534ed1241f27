//! `cargo xtask status`

use shopctl::queues::DeadLetterQueue;
use terminal::ui;

use crate::emulator::Emulator;
use crate::instance::{Instance, LOCAL_STACK};
use crate::service::Service;
use crate::stand_in::StandIn;

/// Show which parts of the local stack are running, and whether there are dead-letter messages.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    let instance = Instance::developer();
    let emulator = Emulator::new(&instance);
    let stand_in = StandIn::new(&instance);
    ui::field("AWS emulator", &state(&emulator.service, &instance.endpoint()));
    ui::field("payments", &state(&stand_in.service, &instance.stand_in_url()));
    if emulator.service.pid().is_none() {
        ui::note("start the local stack: cargo xtask up");
        return Ok(());
    }
    let stack = instance.open()?;
    let Some(status) = stack.status()? else {
        ui::note("the stack is not deployed. Deploy it: cargo xtask up");
        return Ok(());
    };
    ui::field("stack", &format!("{LOCAL_STACK} is {status}"));
    ui::field("API", &stack.api_url()?);
    ui::field("functions", &stack.log_groups()?.len().to_string());
    let mut waiting = Vec::new();
    for queue in DeadLetterQueue::all(&stack)? {
        let count = queue.count(&stack)?;
        if count > 0 {
            waiting.push(format!("{count} in {}", queue.name));
        }
    }
    let waiting = if waiting.is_empty() { "none".to_owned() } else { waiting.join(", ") };
    ui::field("dead-letter messages", &waiting);
    Ok(())
}

fn state(service: &Service, url: &str) -> String {
    match service.pid() {
        Some(pid) => format!("{url} (process {})", pid.as_raw_nonzero()),
        None if service.has_crashed() => {
            format!("not running: it ended unexpectedly, see {}", xtask::paths::display_path(&service.log))
        }
        None => "not running".to_owned(),
    }
}
