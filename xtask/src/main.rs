//! The chores of the project: `cargo xtask demo | build | package | test | fuzz | lint | book | bench | torture`.

mod bench;
mod circles;
mod client;
mod console;
mod deploy;
mod fuzz;
mod lint;
mod package;
mod python;
mod run;
mod test;
mod tidy;
mod torture;
mod tutorial;

use std::{io::Write, process::ExitCode};

const USAGE: &str = "usage: cargo xtask CHORE
  demo    the main job, visibly, with nothing to set up
  build   a release of the program with the console inside; its path is the last line
  package a release as packages: stripped, for Debian, and with a list of what is inside; in target/packages
  test    every test, installing what it needs
  fuzz [SECONDS]
          every call of the API with good and bad requests, held to the OpenAPI document
  lint    format, clippy, licences and duplicates, spelling, tidiness
  book    the documentation as web pages, in target/book
  bench [--store sqlite|postgres] [cost|waiting|fair|history|connectors [COUNT]]
          what an alert costs, against a bare client in the same run, and what must not grow
  torture [kill|disk|faults|clock|messages|attack|soak [ROUNDS]]
  torture --store postgres [replicas|stalls|database|full|failover|patroni [ROUNDS]]
          killed, starved, lied to: what is lost, which is nothing";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["demo", rest @ ..] => demo(rest),
        ["build"] => build(),
        ["package"] => package::make(),
        ["test", rest @ ..] => test::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["lint"] => lint::run(),
        ["book"] => book(),
        ["bench", rest @ ..] => bench::run(rest),
        ["torture", rest @ ..] => torture::run(rest),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::talk(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The main job, visibly.
fn demo(rest: &[&str]) -> anyhow::Result<()> {
    console::build_if_possible()?;
    let run = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "alert-connectors",
    ];
    run::cargo(&[&run[..], &["--", "demo"], rest].concat())
}

/// The book as web pages. The tests hold its pages to the program without it.
fn book() -> anyhow::Result<()> {
    run::ensure("mdbook", &["mdbook", "--version"], "0.5.4")?;
    let place = run::root().join("target/book").display().to_string();
    run::program("mdbook", &["build", "--dest-dir", &place, "docs/book"])
}

/// A release of the program with the console inside. Prints its path.
fn build() -> anyhow::Result<()> {
    console::build()?;
    let build = ["build", "--release", "--locked", "--package"];
    run::cargo(&[&build[..], &["alert-connectors"]].concat())?;
    let program = run::root().join("target/release/alert-connectors");
    let program = std::path::absolute(program)?;
    Ok(writeln!(std::io::stdout(), "{}", program.display())?)
}
