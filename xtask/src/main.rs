//! `cargo xtask …`: the command line for developers. Commands that need the AWS SDK, or a compiler of their own, are
//! in other programs: see [`programs`].

mod commands;

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, FromArgMatches as _, Subcommand};
use terminal::ui;
use xtask::programs::{self, FORWARDED, Program};

use commands::{bench, mutants, test};

// The commands of this program. A doc comment would replace the description of `cli`.
#[derive(Subcommand)]
enum Own {
    Test(test::Args),
    Bench(bench::Args),
    Mutants(mutants::Args),
}

fn main() -> ExitCode {
    match run(&cli().get_matches()) {
        Ok(code) => code,
        Err(error) => {
            ui::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn cli() -> Command {
    let options = Arg::new("options").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true);
    let options = options.help("Options of the command; `--help` shows them");
    let forwarded = FORWARDED.iter().map(|forwarded| {
        Command::new(forwarded.name).about(forwarded.about).disable_help_flag(true).arg(&options)
    });
    let stack = Arg::new("stack").long("stack").value_name("NAME");
    let cli = Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The developer's command line: run the whole system on this machine, test it, generate files")
        .after_help("For a stack on AWS, without a checkout: shopctl, see docs/SHOPCTL.md")
        .arg(stack.help("For commands that work on any stack: its name. The default is the local one"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(forwarded);
    Own::augment_subcommands(cli)
}

fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let found = matches.subcommand().and_then(|(name, options)| {
        Some((FORWARDED.iter().find(|forwarded| forwarded.name == name)?, options))
    });
    let Some((forwarded, options)) = found else {
        match Own::from_arg_matches(matches)? {
            Own::Test(args) => test::run(&args)?,
            Own::Bench(args) => bench::run(&args)?,
            Own::Mutants(args) => mutants::run(&args)?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let mut all: Vec<&str> = Vec::new();
    let program = match forwarded.program {
        Program::Own => forwarded.name,
        Program::LocalStack => {
            all.push(forwarded.name);
            if let Some(stack) = matches.get_one::<String>("stack") {
                all.extend(["--stack", stack]);
            }
            "local-stack"
        }
    };
    all.extend(options.get_many::<String>("options").into_iter().flatten().map(String::as_str));
    let code = programs::run(program, &all)?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (String, Vec<String>) {
        let matches = cli().try_get_matches_from(line.split(' ')).unwrap();
        let (name, options) = matches.subcommand().unwrap();
        let options = options.get_many::<String>("options").into_iter().flatten();
        (name.to_owned(), options.cloned().collect())
    }

    #[test]
    fn this_program_does_without_the_aws_sdk() {
        let tree = ["tree", "--package", "xtask", "--edges", "normal,build", "--prefix", "none"];
        let tree = xtask::process::cargo().args(tree).output().unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        assert!(tree.contains("clap ") && !tree.lines().any(|line| line.starts_with("aws")), "{tree}");
    }

    #[test]
    fn the_options_of_forwarded_commands_are_not_parsed() {
        cli().debug_assert();
        for line in ["dlq list --stack shop --reason x", "up --help", "model --version --stack -h"] {
            let (name, options) = parse(&format!("xtask {line}"));
            assert_eq!(format!("{name} {}", options.join(" ")), line);
        }
        assert_eq!(parse("xtask --stack shop audit --settled"), ("audit".into(), vec!["--settled".into()]));
    }
}
