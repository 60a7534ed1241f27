//! `stripe-stand-in`: see the crate's README.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program writes to its terminal"
)]

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use stripe_stand_in::{Account, DEFAULT_KEY, DEFAULT_PORT, StandIn, resume, router, serve, storage};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves Stripe's PaymentIntents API on the loopback interface, with fault injection.
///
/// The control API is under /_control. Stop the server with Ctrl-C or SIGTERM.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to listen on, on 127.0.0.1.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// The file that persists the account across restarts.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// A secret key to accept; can be repeated. All keys belong to one account.
    #[arg(long = "key", value_name = "KEY", default_value = DEFAULT_KEY)]
    keys: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stripe-stand-in: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { port, state, keys } = arguments;
    let account = state.as_deref().map_or_else(|| Ok(Account::default()), storage::load)?;
    let stand_in = Arc::new(StandIn::new(keys, account));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
        format!("cannot listen on port {port}: stop what uses it, or pass another --port")
    })?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    println!("listening on http://{}", listener.local_addr()?);
    let saver = state.clone().map(|path| {
        let report = |error: anyhow::Error| eprintln!("stripe-stand-in: {error:#}");
        tokio::spawn(storage::save_on_change(stand_in.clone(), path, report))
    });
    resume(&stand_in);
    serve(listener, router(stand_in.clone()), stop).await?;
    if let Some(saver) = saver {
        saver.abort();
    }
    state.map_or(Ok(()), |path| storage::save(&stand_in, &path))
}
