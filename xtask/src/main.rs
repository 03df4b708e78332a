//! The chores of the project: `cargo xtask demo | test | lint | bench`.

mod bench;
mod fuzz;
mod lint;
mod python;
mod run;
mod test;
mod tidy;
mod torture;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask CHORE
  demo    the main job, visibly, with nothing to set up
  test    every test, installing what it needs
  fuzz [SECONDS]
          every call of the API with good and bad requests, held to the OpenAPI document
  lint    format, clippy, licences and duplicates, spelling, tidiness
  bench [--store sqlite|postgres] [cost|waiting|fair|history|connectors [COUNT]]
          what an alert costs, against a bare client in the same run, and what must not grow
  torture [kill|disk|faults|clock|attack [ROUNDS]]
  torture --store postgres [replicas|stalls|database|full [ROUNDS]]
          killed, starved, lied to: what is lost, which is nothing";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["demo", rest @ ..] => run::cargo(
            &[
                &[
                    "run",
                    "--quiet",
                    "--locked",
                    "--package",
                    "alert-connectors",
                    "--",
                    "demo",
                ],
                rest,
            ]
            .concat(),
        ),
        ["test", rest @ ..] => test::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["lint"] => lint::run(),
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
