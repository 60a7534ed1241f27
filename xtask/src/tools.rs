//! The tools that are not written in Rust: pinned in `requirements*.txt`, and installed into Python virtual
//! environments under `.local/tools`.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow, bail};
use sha2::{Digest as _, Sha256};
use terminal::ui;

use crate::paths::{local_dir, repo_root};
use crate::process;

const INSTALLER_REQUIREMENTS: &str = include_str!("../requirements-installer.txt");
const REQUIREMENTS: &str = include_str!("../requirements.txt");
const CONTRACT_REQUIREMENTS: &str = include_str!("../requirements-contract.txt");
const LINT_REQUIREMENTS: &str = include_str!("../requirements-lint.txt");
/// The minimum Python version of the tools.
const MIN_PYTHON: (u32, u32) = (3, 10);

/// The installed tools of `requirements.txt`.
pub struct Tools {
    bin: PathBuf,
}

impl Tools {
    /// Installs what `requirements.txt` pins, unless it is installed.
    pub fn ensure() -> anyhow::Result<Self> {
        Self::start_installation().join()
    }

    /// Starts to install what `requirements.txt` pins, unless it is installed, while this process does something else:
    /// the downloads take a minute, in which functions can be compiled.
    pub fn start_installation() -> Installation {
        let what = "the emulator, SAM CLI, cargo-lambda and zig into .local/tools";
        Installation(std::thread::spawn(move || {
            Ok(Self { bin: install("venv", "requirements.txt", REQUIREMENTS, what, "about 300 MB")? })
        }))
    }

    /// The Python interpreter with the tools' libraries.
    pub fn python(&self) -> PathBuf {
        self.bin.join("python")
    }

    /// cfn-lint, which comes with the SAM CLI.
    pub fn cfn_lint(&self) -> Command {
        let mut command = Command::new(self.bin.join("cfn-lint"));
        command.current_dir(repo_root());
        command
    }

    /// The SAM CLI, with the other tools on its path.
    pub fn sam(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(self.bin.join("sam"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.bin.clone()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path)?);
        command.env("SAM_CLI_TELEMETRY", "0").env("SAM_CLI_CHECK_FOR_UPDATES", "0");
        command.current_dir(repo_root());
        Ok(command)
    }
}

/// An installation of the tools in the background.
pub struct Installation(JoinHandle<anyhow::Result<Tools>>);

impl Installation {
    /// Waits until the tools are installed.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub fn join(self) -> anyhow::Result<Tools> {
        self.0.join().map_err(|_| anyhow!("the installation of the tools panicked"))?
    }
}

/// Installs what `requirements-contract.txt` pins, unless it is installed. Returns the folder of its
/// programs.
pub fn contract_tools() -> anyhow::Result<PathBuf> {
    let what = "schemathesis into .local/tools";
    install("contract", "requirements-contract.txt", CONTRACT_REQUIREMENTS, what, "about 100 MB")
}

/// Installs what `requirements-lint.txt` pins, unless it is installed. Returns the folder of its programs.
pub fn lint_tools() -> anyhow::Result<PathBuf> {
    let what = "checkov into .local/tools";
    install("lint", "requirements-lint.txt", LINT_REQUIREMENTS, what, "about 300 MB")
}

/// Installs `requirements`, the content of `file`, into a virtual environment, unless they are installed.
/// Returns the folder of its programs.
fn install(name: &str, file: &str, requirements: &str, what: &str, size: &str) -> anyhow::Result<PathBuf> {
    let environment = Environment::open(name, requirements)?;
    if !environment.is_current() {
        let progress = ui::Progress::start(&format!("installing {what}"));
        let installer = Environment::open("installer", INSTALLER_REQUIREMENTS)?;
        if !installer.is_current() {
            installer.create()?;
            installer.fill(&mut installer.pip(), "requirements-installer.txt")?;
        }
        environment.create()?;
        progress.detail(&format!("downloading {size} from PyPI, the first time only"));
        let mut uv = Command::new(installer.bin().join("uv"));
        uv.args(["pip", "install", "--python"]).arg(environment.bin().join("python"));
        // uv installs in a tenth of the time of pip, but it does not read pip's configuration, which may name a mirror.
        environment
            .fill(&mut uv, file)
            .or_else(|_| environment.fill(&mut environment.pip(), file))
            .context("the tools could not be installed. Is PyPI reachable from this machine?")?;
        progress.done(&format!("installed {what}"));
    }
    Ok(environment.bin())
}

/// A Python virtual environment under `.local/tools`, which no other process changes meanwhile.
struct Environment {
    path: PathBuf,
    /// A hash of what is to be installed.
    wanted: String,
    _lock: File,
}

impl Environment {
    fn open(name: &str, requirements: &str) -> anyhow::Result<Self> {
        let tools = local_dir().join("tools");
        let lock = lock_installation(&tools, name)?;
        let wanted = hex::encode(Sha256::digest(requirements));
        Ok(Self { path: tools.join(name), wanted, _lock: lock })
    }

    fn bin(&self) -> PathBuf {
        self.path.join("bin")
    }

    fn stamp(&self) -> PathBuf {
        self.path.join("requirements.sha256")
    }

    /// A virtual environment stops working when the Python that created it is removed.
    fn works(&self) -> bool {
        version(&self.bin().join("python")).is_some()
    }

    fn is_current(&self) -> bool {
        std::fs::read_to_string(self.stamp()).is_ok_and(|installed| installed == self.wanted) && self.works()
    }

    fn create(&self) -> anyhow::Result<()> {
        if self.works() { Ok(()) } else { make_venv(&self.path) }
    }

    fn pip(&self) -> Command {
        let mut pip = Command::new(self.bin().join("python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        pip
    }

    /// Installs the requirements of `file` with `installer`.
    fn fill(&self, installer: &mut Command, file: &str) -> anyhow::Result<()> {
        installer.arg("--requirement").arg(repo_root().join("xtask").join(file));
        process::run_logged(installer, &local_dir().join("tools").join("install.log"))?;
        Ok(std::fs::write(self.stamp(), &self.wanted)?)
    }
}

/// Waits until no other command installs the tools named `name` into `dir`, and keeps others from it until the
/// returned file is closed.
pub fn lock_installation(dir: &Path, name: &str) -> anyhow::Result<File> {
    std::fs::create_dir_all(dir)?;
    let lock = File::create(dir.join(format!("{name}.lock")))?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        ui::note("another command is installing the same tools: waiting for it");
        lock.lock()?;
    }
    Ok(lock)
}

fn make_venv(venv: &Path) -> anyhow::Result<()> {
    let python = find_python()?;
    let log = local_dir().join("tools").join("venv.log");
    process::run_logged(Command::new(&python).args(["-m", "venv", "--clear"]).arg(venv), &log).with_context(
        || {
            format!(
                "`{}` cannot create a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv",
                python.display()
            )
        },
    )
}

/// The first Python on the path that is recent enough.
fn find_python() -> anyhow::Result<PathBuf> {
    let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
    let mut too_old = None;
    for name in names.map(PathBuf::from) {
        match version(&name) {
            Some(found) if found >= MIN_PYTHON => return Ok(name),
            Some(found) => too_old = too_old.or(Some(found)),
            None => {}
        }
    }
    let (major, minor) = MIN_PYTHON;
    match too_old {
        Some((old_major, old_minor)) => bail!(
            "the local stack needs Python {major}.{minor} or newer; this machine has {old_major}.{old_minor}. \
             Install a newer one (https://www.python.org/downloads) so that `python3` finds it."
        ),
        None => bail!(
            "the local stack needs Python {major}.{minor} or newer, and there is no `python3` on the path. \
             On Debian and Ubuntu: sudo apt install python3 python3-venv; on macOS: brew install python"
        ),
    }
}

/// The version that `python --version` prints; `None` if it does not run.
fn version(python: &Path) -> Option<(u32, u32)> {
    let output =
        Command::new(python).arg("--version").output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.trim().strip_prefix("Python ")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_tools_are_installed_by_one_command_at_a_time() {
        let path = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let first = lock_installation(&path, "venv").unwrap();
        drop(lock_installation(&path, "lint").unwrap());
        let folder = path.clone();
        let second = std::thread::spawn(move || drop(lock_installation(&folder, "venv").unwrap()));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!second.is_finished(), "the second command waits for the first");
        drop(first);
        second.join().unwrap();
        std::fs::remove_dir_all(path).unwrap();
    }
}
