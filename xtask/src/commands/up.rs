//! `cargo xtask up`

use crate::binaries::{Binaries, STAND_IN};
use crate::emulator::Emulator;
use crate::instance::{Instance, shown};
use crate::stack::Stack;
use crate::stand_in::StandIn;
use crate::tools::Tools;
use crate::{deploy, products, signals, ui};

/// Start the whole system on this machine: tools, build, AWS emulator, payment provider, deployment, stock.
///
/// Run it again after a change of the code or the template: it builds and deploys what changed. Tables, queues
/// and mails survive `down` and `up`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Start from nothing: forget the orders, the stock and the charges of last time.
    #[arg(long)]
    fresh: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    if args.fresh {
        super::down::stop(&instance)?;
        forget(&instance)?;
    }
    start(&instance)?;
    print_urls(&instance)
}

/// Brings a local stack up. Returns the binaries that it was made from.
pub(crate) fn start(instance: &Instance) -> anyhow::Result<Binaries> {
    instance.make_dirs()?;
    let tools = Tools::ensure()?;
    let binaries = Binaries::build(instance)?;
    ui::success("functions built");
    Emulator::of(instance).start(&tools)?;
    let stand_in = StandIn::of(instance);
    if binaries.lay_out_stand_in(instance)? && stand_in.stop()? {
        ui::note(&format!("restarting {STAND_IN}: its code changed"));
    }
    stand_in.start()?;
    deploy::deploy(instance, &tools, &binaries)?;
    products::put_in(&Stack::local(instance.clone())?.shop()?)?;
    ui::success("products and stock are in");
    Ok(binaries)
}

/// Removes what a stopped stack remembers.
pub(crate) fn forget(instance: &Instance) -> anyhow::Result<()> {
    if instance.state().exists() {
        std::fs::remove_dir_all(instance.state())?;
    }
    Ok(())
}

fn print_urls(instance: &Instance) -> anyhow::Result<()> {
    let stack = Stack::local(instance.clone())?;
    let logs = instance.log("emulator");
    let logs = logs.parent().map(shown).unwrap_or_default();
    ui::heading("The shop is open");
    let shop = stack.shop()?;
    ui::field("API", shop.url());
    ui::field("reference", &format!("{}/reference", shop.url()));
    ui::field("AWS", &format!("{} (any SDK or `aws --endpoint-url`; keys test/test)", instance.endpoint()));
    ui::field("payments", &format!("{} (stand-in for Stripe)", instance.stand_in_url()));
    ui::field("mails", &format!("{}/_ministack/ses/messages", instance.endpoint()));
    ui::field("logs", &logs);
    ui::heading("Next");
    ui::field("cargo xtask demo", "watch orders go through, and fail, and recover");
    ui::field("cargo xtask order", "place one yourself");
    ui::field("cargo xtask down", "stop all of it");
    Ok(())
}
