//! The report: Markdown.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::{Bench, Cold, Measured};
use crate::statistics::{decimal, hundredths, median, megabytes, milliseconds, percentile};
use bench::functions::{FLOOR, Function};

/// What a function is to stay below.
struct Targets;

impl Targets {
    /// Init, in hundredths of the floor's.
    const INIT: u128 = 160;
    /// Init and first invocation of a function that makes one call, in hundredths of the floor's init.
    const ONE_CALL: u128 = 310;
    /// Bytes of memory.
    const PEAK: u64 = 12_000_000;
    /// Bytes of the binary.
    const SIZE: u64 = 8_000_000;
}

/// What is told of one function.
struct Row<'a> {
    name: &'a str,
    measured: &'a Measured,
    /// Medians.
    init: Duration,
    init_cpu: Duration,
    first: Duration,
    both: Duration,
}

impl<'a> Row<'a> {
    fn new(function: &'a Function, measured: &'a Measured) -> Self {
        let median = |what: fn(&Cold) -> Duration| median(measured.cold.iter().map(what));
        Self {
            name: &function.name,
            measured,
            init: median(|cold| cold.init.wall),
            init_cpu: median(|cold| cold.init.cpu),
            first: median(|cold| cold.first),
            both: median(|cold| cold.init.wall + cold.first),
        }
    }

    fn peak_bytes(&self) -> u64 {
        self.measured.peak_memory * 1024
    }

    /// Requests and connections of the first event.
    fn traffic(&self) -> (usize, usize) {
        let traffic = self.measured.cold.first().map(|cold| &cold.traffic);
        traffic.map_or((0, 0), |traffic| (traffic.requests, traffic.connections))
    }

    fn times_floor(&self, floor: &Row<'_>) -> u128 {
        hundredths(self.init.as_nanos(), floor.init.as_nanos())
    }

    fn line(&self, floor: &Row<'_>) -> String {
        let init =
            |percent| milliseconds(percentile(self.measured.cold.iter().map(|c| c.init.wall), percent));
        let warm = |percent| milliseconds(percentile(self.measured.warm.iter().copied(), percent));
        let (requests, connections) = self.traffic();
        format!(
            "| {} | {} | {} ({}–{}) | {} | {} | {} | {} | {} / {} | {requests} / {connections} | {} |",
            self.name,
            megabytes(self.measured.size),
            milliseconds(self.init),
            init(10),
            init(90),
            decimal(self.times_floor(floor)),
            milliseconds(self.init_cpu),
            milliseconds(self.first),
            milliseconds(self.both),
            warm(50),
            warm(99),
            megabytes(self.peak_bytes()),
        )
    }
}

/// The whole document. The floor is among `functions`.
pub(crate) fn report(bench: &Bench, functions: &[Function], measured: &[Measured], repo: &Path) -> String {
    let rows: Vec<Row<'_>> =
        functions.iter().zip(measured).map(|(function, measured)| Row::new(function, measured)).collect();
    let mut text =
        String::from("# Benchmarks\n\nWhat each function costs to start, to call and to keep.\n\n");
    let Some(floor) = rows.iter().find(|row| row.name == FLOOR) else { return text };
    text.push_str(&table(&rows, floor));
    text.push_str(LEGEND);
    text.push_str(&targets(&rows, floor));
    let tls = if bench.http { "plain HTTP (`--http`)" } else { "HTTPS" };
    let _ = write!(text, "\n## How it was measured\n\n{}\n{}", setting(repo), method(bench, tls));
    text.push_str(LIMITS);
    text
}

fn table(rows: &[Row<'_>], floor: &Row<'_>) -> String {
    let mut text = String::from(
        "| function | file MB | init ms (p10–p90) | × floor | init CPU ms | first ms | init + first ms | warm ms p50 / p99 | calls / connections | peak MB |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        text.push_str(&row.line(floor));
        text.push('\n');
    }
    text
}

/// Which targets are reached, and by whom they are not.
fn targets(rows: &[Row<'_>], floor: &Row<'_>) -> String {
    let missed = |by: &dyn Fn(&Row<'_>) -> Option<String>| {
        let missed: Vec<String> = rows
            .iter()
            .filter(|row| row.name != FLOOR)
            .filter_map(|row| Some(format!("{} ({})", row.name, by(row)?)))
            .collect();
        if missed.is_empty() {
            "reached by all".to_owned()
        } else {
            format!("missed by {}", missed.join(", "))
        }
    };
    let init = missed(&|row| {
        let times = row.times_floor(floor);
        let connects = row.measured.cold.iter().any(|cold| cold.connects_in_init);
        (times > Targets::INIT && !connects).then(|| format!("{} ×", decimal(times)))
    });
    let one_call = missed(&|row| {
        let times = hundredths(row.both.as_nanos(), floor.init.as_nanos());
        (row.traffic() == (1, 1) && times > Targets::ONE_CALL).then(|| format!("{} ×", decimal(times)))
    });
    let peak = missed(&|row| (row.peak_bytes() > Targets::PEAK).then(|| megabytes(row.peak_bytes())));
    let size = missed(&|row| (row.measured.size > Targets::SIZE).then(|| megabytes(row.measured.size)));
    format!(
        "\n## Targets\n\n| target | |\n|---|---|\n\
         | init ≤ {} × floor, but for functions that open a connection in it, which saves that in *first* | {init} |\n\
         | init + first ≤ {} × the floor's init, for functions that make one call (1.3 × what a program takes that makes the call without the AWS SDK: that was measured, elsewhere, to be 2.4 × the floor's init) | {one_call} |\n\
         | peak memory ≤ {} MB | {peak} |\n\
         | file ≤ {} MB | {size} |\n",
        decimal(Targets::INIT),
        decimal(Targets::ONE_CALL),
        megabytes(Targets::PEAK),
        megabytes(Targets::SIZE),
    )
}

const LEGEND: &str = "
- **floor**: a `lambda_runtime` function that does nothing (`tests/floor`).
- **init**: from before the process is made until it asks for its first event; median, and the 10th and 90th percentile.
- **first**: from its first event, `events/<function>.json`, to the answer; median. Connections are opened in it, where they were not in init.
- **warm**: the same, for the events after the first.
- **calls / connections**: what the first event makes the function ask of others, and to how many of them.
- **peak**: the most memory that the process took (`VmHWM`), shared libraries included. MB are 1,000,000 bytes.
";

fn method(bench: &Bench, tls: &str) -> String {
    let (rounds, warm) = (bench.rounds, bench.warm);
    let http = if bench.http { " --http" } else { "" };
    format!(
        "The binaries are those of `sam build` (the floor apart from the others, so that it gets none of their \
features), each in a copy that was written from front to end. `tests/bench` is the Lambda Runtime API and starts each as Lambda does, with the environment that Lambda and \
`template.yaml` set. It is also what the functions call, over {tls}: each service at an address of its own, with \
certificates of three levels, and answers that bring the sample event to a good end; any other request, and any answer \
of a function but a success, ends the benchmark. {rounds} cold starts of each function, in turns; one before them is not \
counted. Then one process of each, with {warm} events after its first.\n\n\
```sh\ncargo xtask bench --rounds {rounds} --warm {warm}{http}\n```\n"
    )
}

const LIMITS: &str = "
## What is not in the numbers

- Nothing ran on AWS. Making the microVM, fetching the package, and the network's round trips come on top; so does Lambda's \
share of a processor: at 128 MB a function has 7 % of one, after an init with a whole one.
- The binary's pages are in memory. Read from a disk, each MB of the file takes about a millisecond more.
- The backend does no work: the time of a real table, bus or payment provider is not in *first* and *warm*. Its own few \
hundredths of a millisecond for each call are, and the handshake's other half.
- Certificates are ECDSA. AWS's are RSA, which is a little cheaper to check.
- Names are resolved from a file, without DNS.
- Functions that talk to Stripe trust the machine's roots. Here they read them for AWS too, where otherwise they have \
Amazon's compiled in: their init is a little too long.
- `sam build` links with zig against an older glibc.
";

pub(crate) fn setting(repo: &Path) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let lock = std::fs::read_to_string(repo.join("Cargo.lock")).unwrap_or_default();
    let crates = ["lambda_runtime", "aws-sdk-dynamodb", "aws-smithy-http-client", "rustls", "tokio"];
    let versions: Vec<String> =
        crates.iter().filter_map(|name| Some(format!("{name} {}", locked_version(&lock, name)?))).collect();
    format!(
        "{}, Linux {}, {cores} × {model}, {rustc}; {}.\n",
        bench::clock::today(),
        read("/proc/sys/kernel/osrelease").trim(),
        versions.join(", ")
    )
}

/// The version of a package in the text of a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let package =
        lock.split("[[package]]").find(|package| package.contains(&format!("\nname = \"{name}\"\n")))?;
    package.split("\nversion = \"").nth(1)?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::backend::Traffic;
    use bench::process::Init;

    fn function(name: &str) -> Function {
        Function { name: name.to_owned(), ..Function::floor() }
    }

    fn measured(init_ms: u64, size: u64) -> Measured {
        let cold = |extra| Cold {
            init: Init { wall: Duration::from_millis(init_ms + extra), cpu: Duration::from_millis(1) },
            connects_in_init: size == 5_000_000,
            first: Duration::from_millis(2),
            traffic: Traffic { requests: 1, connections: 1, unexpected: Vec::new() },
        };
        Measured {
            cold: vec![cold(2), cold(0), cold(1)],
            warm: vec![Duration::from_micros(150); 4],
            peak_memory: 8000,
            size,
        }
    }

    #[test]
    fn a_function_is_compared_with_the_floor_and_the_targets() {
        let bench = Bench { binaries: ".".into(), rounds: 3, warm: 4, http: false };
        let functions = [function("floor"), function("slow"), function("quick"), function("connects")];
        let all = [
            measured(9, 1_000_000),
            measured(19, 9_000_000),
            measured(14, 7_000_000),
            measured(29, 5_000_000),
        ];
        let text = report(&bench, &functions, &all, Path::new("."));
        let slow =
            "| slow | 9.00 | 20.00 (19.00–21.00) | 2.00 | 1.00 | 2.00 | 22.00 | 0.15 / 0.15 | 1 / 1 | 8.19 |";
        assert!(text.contains(slow), "{text}");
        assert!(text.contains("in *first* | missed by slow (2.00 ×) |"), "{text}");
        assert!(text.contains("| peak memory ≤ 12.00 MB | reached by all |"), "{text}");
        assert!(text.contains("| file ≤ 8.00 MB | missed by slow (9.00) |"), "{text}");
    }

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked_version(lock, "b"), Some("2.0.0"));
        assert_eq!(locked_version(lock, "a-b"), Some("1.2.3"));
        assert_eq!(locked_version(lock, "c"), None);
    }
}
