//! Where a local stack lives: its folder under `.local/` and its ports.

use std::path::{Path, PathBuf};

/// The port of the developer's emulator, as `samconfig.toml` has it.
pub(crate) const EMULATOR_PORT: u16 = 4577;
/// The port of the developer's Stripe stand-in, as `samconfig.toml` has it.
pub(crate) const STAND_IN_PORT: u16 = 4578;
/// The port that the developer's functions may send webhooks to, as `samconfig.toml` has it. Nothing of the stack
/// listens there: tests do, and who tries webhooks out.
pub(crate) const RECEIVER_PORT: u16 = 4579;

/// The port of the developer's malware scanner, as `samconfig.toml` has it.
pub(crate) const SCANNER_PORT: u16 = 4576;

/// One local stack. Three can run side by side: the developer's, and those that `cargo xtask test` and
/// `cargo xtask chaos` make.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// The folder that holds everything of this stack.
    dir: PathBuf,
    /// Loopback port of the emulator.
    pub(crate) emulator_port: u16,
    /// Loopback port of the Stripe stand-in.
    pub(crate) stand_in_port: u16,
    /// Loopback port that webhooks may be sent to.
    pub(crate) receiver_port: u16,
    /// Loopback port of the malware scanner.
    pub(crate) scanner_port: u16,
    /// Loopback port of the order service, where that runs as a container.
    pub(crate) container_port: u16,
    /// Loopback port of the proxy that the functions call AWS through, where there is one.
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

    /// The stack of `cargo xtask test`, which leaves the developer's alone.
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

    /// The stack of `cargo xtask chaos`, whose functions call AWS through a proxy that makes it fail.
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

    /// Where AWS is, for clients of this stack.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.emulator_port)
    }

    /// Where AWS is, for the functions of this stack.
    pub(crate) fn functions_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy_port.unwrap_or(self.emulator_port))
    }

    /// Where the payment provider is.
    pub(crate) fn stand_in_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.stand_in_port)
    }

    /// The one address of this machine that webhooks may be sent to.
    pub(crate) fn receiver_address(&self) -> String {
        format!("127.0.0.1:{}", self.receiver_port)
    }

    /// What survives `down` and `up`: tables, queues, objects, and the charges at the stand-in.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// What was deployed last; absent when that is not known.
    pub(crate) fn deployed_stamp(&self) -> PathBuf {
        self.state().join("deployed.sha256")
    }

    /// One log file per tool.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Where the emulator writes down what comes in at the gateway, a line of JSON each.
    pub(crate) fn gateway_log(&self) -> PathBuf {
        self.run().join("gateway.jsonl")
    }

    /// What is running: process ids, and the scripts that run.
    pub(crate) fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The prepared template and the code of the functions.
    pub(crate) fn build(&self) -> PathBuf {
        self.dir.join("build")
    }

    /// The copy of the stand-in's binary that runs, so that a build can replace the original.
    pub(crate) fn stand_in_binary(&self) -> PathBuf {
        self.build().join("stand_in").join(crate::binaries::STAND_IN)
    }

    /// Where the order service is, where it runs as a container.
    pub(crate) fn container_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.container_port)
    }

    /// The copy of its binary that runs.
    pub(crate) fn container_binary(&self) -> PathBuf {
        self.build().join("container").join("orders-api")
    }

    /// The emulator's temporary files: the functions run from here.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Makes the folders that others write into.
    pub(crate) fn make_dirs(&self) -> std::io::Result<()> {
        let logs = self.dir.join("logs");
        for dir in [self.state(), logs, self.run(), self.build(), self.tmp()] {
            std::fs::create_dir_all(dir)?;
        }
        Ok(())
    }
}

/// The root of the repository: `cargo run` says where this package is; a copied binary remembers it.
pub(crate) fn repo_root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// The folder that git ignores.
pub(crate) fn local_dir() -> PathBuf {
    repo_root().join(".local")
}

/// `path` as a person types it: relative to the repository where it is inside.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(repo_root()).unwrap_or(path).display().to_string()
}
