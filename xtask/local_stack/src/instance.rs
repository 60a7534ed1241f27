//! The instances of the local stack: their folders under `.local/` and their ports.

use std::path::PathBuf;

use shopctl::{Stack, Target};
use xtask::paths::local_dir;

use crate::ports;

/// The name of the stack on this machine.
pub(crate) const LOCAL_STACK: &str = "serverless-orders-local";

/// The port of the developer's emulator, as in `samconfig.toml`.
pub(crate) const EMULATOR_PORT: u16 = 4577;
/// The port of the developer's Stripe stand-in, as in `samconfig.toml`.
pub(crate) const STAND_IN_PORT: u16 = 4578;
/// The port that the developer's functions may send webhooks to, as in `samconfig.toml`. The stack itself
/// does not listen on it: tests do, and developers who try out webhooks.
pub(crate) const RECEIVER_PORT: u16 = 4579;

/// The port of the developer's malware scanner, as in `samconfig.toml`.
pub(crate) const SCANNER_PORT: u16 = 4576;

/// A local stack. Three can run side by side: the developer's, and those of `cargo xtask test` and `cargo
/// xtask chaos`.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// The folder with all files of this stack.
    dir: PathBuf,
    /// Loopback port of the emulator.
    pub(crate) emulator_port: u16,
    /// Loopback port of the Stripe stand-in.
    pub(crate) stand_in_port: u16,
    /// Loopback port that webhooks may be sent to.
    pub(crate) receiver_port: u16,
    /// Loopback port of the malware scanner.
    pub(crate) scanner_port: u16,
    /// Loopback port of the order service, if it runs as a container.
    pub(crate) container_port: u16,
    /// Loopback port of the proxy through which the functions call AWS, if there is one.
    pub(crate) proxy_port: Option<u16>,
}

impl Instance {
    /// The stack of `cargo xtask up`.
    pub(crate) fn developer() -> Self {
        Self {
            dir: local_dir(),
            emulator_port: EMULATOR_PORT,
            stand_in_port: STAND_IN_PORT,
            receiver_port: RECEIVER_PORT,
            scanner_port: SCANNER_PORT,
            container_port: 4580,
            proxy_port: None,
        }
    }

    /// The stack of `cargo xtask test`, independent of the developer's.
    pub(crate) fn test() -> Self {
        Self {
            dir: local_dir().join("test"),
            emulator_port: 4587,
            stand_in_port: 4588,
            receiver_port: 4589,
            scanner_port: 4586,
            container_port: 4590,
            proxy_port: None,
        }
    }

    /// The stack of `cargo xtask chaos`, whose functions call AWS through a proxy that injects faults.
    pub(crate) fn chaos() -> Self {
        let dir = local_dir().join("chaos");
        Self {
            dir,
            emulator_port: 4597,
            stand_in_port: 4598,
            receiver_port: 4596,
            scanner_port: 4595,
            container_port: 4600,
            proxy_port: Some(4599),
        }
    }

    /// How to access the stack.
    pub(crate) fn target(&self) -> Target {
        Target {
            stack: LOCAL_STACK.to_owned(),
            region: None,
            emulator: Some(self.endpoint()),
            program: "cargo xtask".to_owned(),
            files: local_dir(),
        }
    }

    /// Opens the stack, whose emulator must be running.
    pub(crate) fn open(&self) -> anyhow::Result<Stack> {
        anyhow::ensure!(
            ports::is_listening(self.emulator_port),
            "the local stack is not running. Start it: cargo xtask up"
        );
        Stack::open(self.target())
    }

    /// The AWS endpoint for clients of this stack.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.emulator_port)
    }

    /// The AWS endpoint for the functions of this stack.
    pub(crate) fn functions_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy_port.unwrap_or(self.emulator_port))
    }

    /// The URL of the Stripe stand-in.
    pub(crate) fn stand_in_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.stand_in_port)
    }

    /// The only loopback address that webhooks may be sent to.
    pub(crate) fn receiver_address(&self) -> String {
        format!("127.0.0.1:{}", self.receiver_port)
    }

    /// The folder of the state that survives `down` and `up`: tables, queues, objects, and charges of the
    /// stand-in.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// A hash of the last deployment; the file is absent if that is unknown.
    pub(crate) fn deployed_stamp(&self) -> PathBuf {
        self.state().join("deployed.sha256")
    }

    /// The log file of a tool.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// The emulator's log of requests to the gateway, one JSON object per line.
    pub(crate) fn gateway_log(&self) -> PathBuf {
        self.run().join("gateway.jsonl")
    }

    /// The folder of process ids, and of scripts and configuration files in use.
    pub(crate) fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The folder of the prepared template and the functions' code.
    pub(crate) fn build(&self) -> PathBuf {
        self.dir.join("build")
    }

    /// The copy of the stand-in's binary that runs, so that builds can replace the original.
    pub(crate) fn stand_in_binary(&self) -> PathBuf {
        self.build().join("stand_in").join(xtask::functions::STAND_IN)
    }

    /// The URL of the order service, if it runs as a container.
    pub(crate) fn container_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.container_port)
    }

    /// The copy of the order service's binary that runs as a container.
    pub(crate) fn container_binary(&self) -> PathBuf {
        self.build().join("container").join("orders-api")
    }

    /// The folder of the emulator's temporary files, from which the functions run.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Creates the folders that other programs write into.
    pub(crate) fn create_dirs(&self) -> std::io::Result<()> {
        let logs = self.dir.join("logs");
        for dir in [self.state(), logs, self.run(), self.build(), self.tmp()] {
            std::fs::create_dir_all(dir)?;
        }
        Ok(())
    }
}
