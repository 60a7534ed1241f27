//! `cargo xtask up`

use crate::binaries::{Binaries, STAND_IN};
use crate::container::Container;
use crate::emulator::Emulator;
use crate::instance::{Instance, shown};
use crate::scanner::Scanner;
use crate::stack::Stack;
use crate::stand_in::{Control, StandIn};
use crate::tools::Tools;
use crate::{deploy, products, release, signals, ui, webhooks};

/// Start the whole system on this machine: tools, build, AWS emulator, payment provider, malware scanner, deployment, stock.
///
/// Run it again after a change of the code or the template: it builds and deploys what changed. Tables, queues
/// and mails survive `down` and `up`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Start from nothing: forget the orders, the stock and the charges of last time.
    #[arg(long)]
    fresh: bool,
    /// Run the order service as a container would run: a process of its own behind the same gateway.
    #[arg(long)]
    container: bool,
    /// Run the functions as they are deployed: built by `sam build`'s command, which takes some twenty minutes the first time.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    if args.fresh {
        super::down::stop(&instance)?;
        forget(&instance)?;
    }
    let orders = if args.container { OrdersRun::InContainer } else { OrdersRun::OnLambda };
    start(&instance, orders, Profile::of(args.release))?;
    print_urls(&instance)
}

/// Where the order service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrdersRun {
    OnLambda,
    InContainer,
}

/// How the functions are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// With the tests, fast to build.
    Dev,
    /// As they are deployed.
    Release,
}

impl Profile {
    pub(crate) fn of(release: bool) -> Self {
        if release { Self::Release } else { Self::Dev }
    }
}

/// Brings a local stack up. Returns the binaries that it was made from.
pub(crate) fn start(instance: &Instance, orders: OrdersRun, profile: Profile) -> anyhow::Result<Binaries> {
    instance.make_dirs()?;
    let tools = Tools::ensure()?;
    let mut binaries = Binaries::build(instance)?;
    if profile == Profile::Release {
        release::build(&tools)?;
        binaries.replace(release::built()?);
    }
    ui::success("functions built");
    Emulator::of(instance).start(&tools)?;
    let stand_in = StandIn::of(instance);
    if binaries.lay_out(STAND_IN, &instance.stand_in_binary())? && stand_in.stop()? {
        ui::note(&format!("restarting {STAND_IN}: its code changed"));
    }
    stand_in.start()?;
    Scanner::of(instance).start()?;
    deploy::deploy(instance, &tools, &binaries, orders)?;
    let stack = Stack::local(instance.clone())?;
    let container = Container::of(instance);
    match orders {
        OrdersRun::InContainer => container.start(&binaries, &stack)?,
        OrdersRun::OnLambda => drop(container.stop()?),
    }
    webhooks::connect(&stack, &Control::of(instance))?;
    ui::success("the payment provider sends webhooks");
    products::put_in(&stack.shop()?)?;
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
    let api = stack.api_url()?;
    ui::field("API", &api);
    ui::field("reference", &format!("{api}/reference"));
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
