//! `cargo xtask test`

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use anyhow::{anyhow, bail, ensure};
use clap::ValueEnum;
use serde_json::Value;
use terminal::process::{POLL_INTERVAL, lower_priority, run_foreground};
use terminal::signals;
use terminal::ui::{self, DIM};
use xtask::paths::{display_path, local_dir, repo_root};
use xtask::process::{cargo, run_visible};
use xtask::programs;
use xtask::tools::{Tools, lint_tools};
use xtask::workspace::{Target, targets};

/// The seed of the tests that generate their inputs, so that they fail because of a change and not by chance. The nightly
/// run sets others.
const GENERATOR_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");
/// The region for the checks that depend on one.
const REGION: &str = "us-east-1";

/// Run all checks: format, lints, docs, tests, the template, and end-to-end tests of the whole system.
///
/// The last two mostly wait, and run beside the others; `.local/system-test.log` has their output, which is printed at the
/// end. The end-to-end tests start a dedicated local stack on ports 4586 to 4590, and always stop it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these steps, one after the other in this order. The default is all.
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Of the end-to-end tests, run only those whose name contains this, such as `webhooks::`. Skips the rest
    /// of that step.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// In the end-to-end tests, run the functions as they are deployed, built with the command of `sam
    /// build`.
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// cargo fmt --check
    Format,
    /// cargo clippy, warnings denied
    Lints,
    /// cargo doc, warnings denied
    Docs,
    /// cargo test, except the end-to-end tests
    Tests,
    /// sam validate, cfn-lint with all rules, tests of the transformed template, checkov
    Template,
    /// End-to-end tests and contract tests (schemathesis) on a local stack; every kind of event for every
    /// function
    EndToEnd,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    if args.steps.is_empty() { run_all(args) } else { run_in_order(&args.steps, args) }
}

/// Runs the steps that need the processors, and beside them those that wait for servers.
fn run_all(args: &Args) -> anyhow::Result<()> {
    let (system, code): (Vec<Step>, Vec<Step>) =
        Step::value_variants().iter().partition(|step| step.mostly_waits());
    let log = local_dir().join("system-test.log");
    let names: Vec<String> = system.iter().map(|step| step.name()).collect();
    ui::note(&format!("{} run beside the other steps: {}", names.join(" and "), display_path(&log)));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("test").args(&names).args(args.release.then_some("--release"));
    command.args(args.only.iter().flat_map(|only| ["--only", only]));
    fs::create_dir_all(local_dir())?;
    let output = File::create(&log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let system = thread::spawn(move || run_foreground(&mut command));
    // The functions of the local stack have time limits.
    lower_priority();
    let code = run_in_order(&code, args);
    if code.is_err() {
        // Without a stack that is left behind.
        signals::request_stop();
    } else {
        ui::heading(&names.join(" and "));
        copy_while(&log, || !system.is_finished())?;
    }
    let status = system.join().map_err(|_| anyhow!("the thread of the other steps panicked"))?;
    code?;
    let status = status?;
    ensure!(status.success(), "{} failed ({status}), see above", names.join(" or "));
    ui::success("all checks passed");
    Ok(())
}

/// Prints a file that is being written.
fn copy_while(path: &Path, is_growing: impl Fn() -> bool) -> anyhow::Result<()> {
    let mut file = File::open(path)?;
    loop {
        let is_last = !is_growing();
        io::copy(&mut file, &mut io::stdout().lock())?;
        if is_last {
            return Ok(());
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn run_in_order(steps: &[Step], args: &Args) -> anyhow::Result<()> {
    let mut times: Vec<(Step, Duration)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        ui::heading(&format!("{}/{} {}", index + 1, steps.len(), step.name()));
        let started = Instant::now();
        let result = step.run(args);
        times.push((*step, started.elapsed()));
        if let Err(error) = result {
            summarize(&times, true);
            bail!("{error:#}\nStep `{0}` failed. To run it alone: cargo xtask test {0}", step.name());
        }
    }
    summarize(&times, false);
    Ok(())
}

fn summarize(times: &[(Step, Duration)], last_failed: bool) {
    ui::heading("Steps");
    for (index, (step, took)) in times.iter().enumerate() {
        let line = format!("{:12} {DIM}{:>9}{DIM:#}", step.name(), ui::seconds(*took));
        if last_failed && index + 1 == times.len() {
            anstream::println!("{}✗{:#} {line}", ui::RED, ui::RED);
        } else {
            ui::success(&line);
        }
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it leaves the processors to others most of the time.
    fn mostly_waits(self) -> bool {
        matches!(self, Self::Template | Self::EndToEnd)
    }

    fn run(self, args: &Args) -> anyhow::Result<()> {
        match self {
            Self::Format => run_visible(cargo().args(["fmt", "--all", "--check"])),
            Self::Lints => run_visible(cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ])),
            Self::Docs => {
                let all = targets()?;
                let mut docs = cargo();
                docs.args(["doc", "--workspace", "--no-deps", "--lib"])
                    .env("RUSTDOCFLAGS", "--deny warnings");
                // The pages of a program would overwrite those of a library of the same name.
                let is_library = |name: &str| {
                    all.iter().any(|target| target.kind == "lib" && target.name == name.replace('-', "_"))
                };
                for program in programs_with_modules(&all)?.into_iter().filter(|name| !is_library(name)) {
                    docs.args(["--bin", program]);
                }
                run_visible(&mut docs)
            }
            Self::Tests => {
                let all = targets()?;
                let (mut libraries, mut alone) = (unit_tests(), unit_tests());
                libraries.args(["--lib", "--test", "*"]);
                for program in programs_with_modules(&all)? {
                    libraries.args(["--bin", program]);
                }
                // `--lib` would also compile a library without tests once more: that of the simulation takes minutes.
                for library in all.iter().filter(|target| target.kind == "lib" && !target.is_tested) {
                    libraries.args(["--exclude", &library.package]);
                    let is_its_test =
                        |target: &&Target| target.kind == "test" && target.package == library.package;
                    alone.args(all.iter().filter(is_its_test).flat_map(|test| ["--test", &test.name]));
                }
                run_visible(&mut libraries)?;
                run_visible(&mut alone)?;
                run_visible(unit_tests().arg("--doc"))
            }
            Self::Template => template(),
            Self::EndToEnd => end_to_end(args),
        }
    }
}

/// `cargo test` of all packages but those whose tests need what the later steps provide.
fn unit_tests() -> Command {
    let mut tests = cargo();
    // The simulation creates millions of expected errors; backtraces would take most of the time.
    tests.args(["test", "--workspace"]).env("RUST_LIB_BACKTRACE", "0");
    let (name, seed) = GENERATOR_SEED;
    if std::env::var_os(name).is_none() {
        tests.env(name, seed);
    }
    for package in ["end_to_end", "deployment", "artefacts"] {
        tests.args(["--exclude", package]);
    }
    tests
}

/// The programs that have modules or tests. The others only wire: their documentation is one line, and to link an empty test
/// of each function would take a gigabyte.
fn programs_with_modules(all: &[Target]) -> anyhow::Result<Vec<&str>> {
    let mut names = Vec::new();
    for program in all.iter().filter(|target| target.kind == "bin") {
        let text = fs::read_to_string(&program.path)?;
        if text.lines().any(|line| line.starts_with("mod ") || line.contains("test]")) {
            names.push(program.name.as_str());
        }
    }
    Ok(names)
}

/// Runs the end-to-end tests with `local-stack`, the program that starts and stops a stack.
fn end_to_end(args: &Args) -> anyhow::Result<()> {
    let mut options = vec!["end-to-end"];
    options.extend(args.only.iter().flat_map(|only| ["--only", only]));
    options.extend(args.release.then_some("--release"));
    let status = programs::run("local-stack", &options)?;
    ensure!(status.success(), "the end-to-end tests failed ({status}), see above");
    Ok(())
}

/// Checks the template as written, and as AWS transforms it.
fn template() -> anyhow::Result<()> {
    let tools = Tools::ensure()?;
    // Some checks depend on the region; none of them calls AWS.
    run_visible(tools.sam()?.env("AWS_DEFAULT_REGION", REGION).args(["validate", "--lint"]))?;
    let mut lint = tools.cfn_lint();
    // Including informational rules. Rules that are switched off are in the template's Metadata, with the
    // reasons.
    run_visible(lint.args(["--include-checks", "I", "--regions", REGION, "--", "template.yaml"]))?;
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--test", "transformed"]).env("SAM_PYTHON", tools.python());
    run_visible(&mut tests)?;
    let transformed = local_dir().join("transformed.json");
    transform(&tools, &transformed)?;
    let mut checkov = Command::new(lint_tools()?.join("checkov"));
    checkov
        .current_dir(repo_root())
        .args(["--config-file", "xtask/checkov.yaml", "--file"])
        .arg(&transformed);
    run_visible(&mut checkov)
}

/// Writes the template as SAM's translator transforms it for AWS.
fn transform(tools: &Tools, to: &Path) -> anyhow::Result<()> {
    let request =
        serde_json::json!({ "template": repo_root().join("template.yaml"), "cases": { "aws": {} } });
    let input = to.with_extension("input.json");
    fs::write(&input, request.to_string())?;
    let mut python = Command::new(tools.python());
    python.arg(repo_root().join("xtask/src/python/transform_template.py")).stdin(File::open(&input)?);
    let output = python.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "SAM cannot transform the template: {errors}");
    let cases: Value = serde_json::from_slice(&output.stdout)?;
    Ok(fs::write(to, cases.get("aws").unwrap_or(&Value::Null).to_string())?)
}
