//! `cargo xtask up`

use terminal::{signals, ui};
use xtask::functions::{STAND_IN, Selection};
use xtask::paths::display_path;
use xtask::release;
use xtask::tools::Tools;

use crate::binaries::Binaries;
use crate::container::Container;
use crate::emulator::Emulator;
use crate::instance::Instance;
use crate::scanner::Scanner;
use crate::stand_in::{Control, StandIn};
use crate::{deploy, health, products, webhooks};

/// Start the whole system on this machine: tools, build, AWS emulator, payment provider, malware scanner,
/// deployment, stock.
///
/// After a change of the code or the template, run it again: it builds and deploys the changes. Tables,
/// queues and emails survive `down` and `up`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Start with an empty stack: delete the orders, stock and charges of earlier runs.
    #[arg(long)]
    fresh: bool,
    /// Run the order service as a container would: in its own process, behind the same gateway.
    #[arg(long)]
    container: bool,
    /// Run release builds of the functions, as deployed, made with the command of `sam build`; the first
    /// takes about 10 minutes.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let instance = Instance::developer();
    if args.fresh {
        super::down::stop(&instance)?;
        delete_state(&instance)?;
    }
    let orders = if args.container { OrdersHost::Container } else { OrdersHost::Lambda };
    start(&instance, orders, Profile::from_flag(args.release), Selection::All)?;
    health::check(&instance.open()?, &instance)?;
    print_urls(&instance)
}

/// Where the order service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrdersHost {
    Lambda,
    Container,
}

/// The build profile of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The profile of the tests, which is fast to build.
    Dev,
    /// The profile that is deployed.
    Release,
}

impl Profile {
    pub(crate) fn from_flag(release: bool) -> Self {
        if release { Self::Release } else { Self::Dev }
    }
}

/// Starts a local stack. Returns the binaries that it runs.
pub(crate) fn start(
    instance: &Instance,
    orders: OrdersHost,
    profile: Profile,
    selection: Selection,
) -> anyhow::Result<Binaries> {
    instance.create_dirs()?;
    let installation = Tools::start_installation();
    let mut binaries = Binaries::build(instance, selection)?;
    let tools = installation.join()?;
    if profile == Profile::Release {
        release::build(&tools)?;
        binaries.replace(release::binaries()?);
    }
    ui::success("functions built");
    Emulator::new(instance).start(&tools)?;
    let stand_in = StandIn::new(instance);
    if binaries.install(STAND_IN, &instance.stand_in_binary())? && stand_in.stop()? {
        ui::note(&format!("restarting {STAND_IN}: its code changed"));
    }
    stand_in.start()?;
    if selection == Selection::All {
        Scanner::new(instance).start()?;
    }
    deploy::deploy(instance, &tools, &binaries, orders)?;
    let stack = instance.open()?;
    let container = Container::new(instance);
    match orders {
        OrdersHost::Container => container.start(&binaries, &stack)?,
        OrdersHost::Lambda => drop(container.stop()?),
    }
    webhooks::connect(&stack, &Control::new(instance))?;
    ui::success("payment provider sends webhooks to the stack");
    products::create_all(&stack.shop()?)?;
    ui::success("products and stock created");
    Ok(binaries)
}

/// Deletes the state of a stopped stack.
pub(crate) fn delete_state(instance: &Instance) -> anyhow::Result<()> {
    if instance.state().exists() {
        std::fs::remove_dir_all(instance.state())?;
    }
    Ok(())
}

fn print_urls(instance: &Instance) -> anyhow::Result<()> {
    let stack = instance.open()?;
    let logs = instance.log("emulator");
    let logs = logs.parent().map(display_path).unwrap_or_default();
    ui::heading("The local stack is running");
    let api = stack.api_url()?;
    ui::field("API", &api);
    ui::field("reference", &format!("{api}/reference"));
    ui::field("AWS", &format!("{} (any SDK, or `aws --endpoint-url`; keys test/test)", instance.endpoint()));
    ui::field("payments", &format!("{} (Stripe stand-in)", instance.stand_in_url()));
    ui::field("emails", &format!("{}/_ministack/ses/messages", instance.endpoint()));
    ui::field("logs", &logs);
    ui::heading("Next steps");
    ui::field("cargo xtask demo", "watch five orders, with and without failures");
    ui::field("cargo xtask order", "place an order yourself");
    ui::field("cargo xtask down", "stop the local stack");
    Ok(())
}
