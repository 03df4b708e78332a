//! What an alert costs: the release server at saturation over 64 destinations, against a bare HTTPS client that posts the
//! same bytes to the same receiver in the same run. Each of them is a process of its own, and its CPU time is read from
//! the system, so that nobody's work is counted as another's.

mod bare;
mod client;
mod home;
mod lab;
mod more;
mod process;
mod receiver;
mod run;
mod stats;

use std::process::ExitCode;

use home::Store;

const USAGE: &str = "usage: alert-connectors-bench PATH-OF-THE-SERVER sqlite|postgres \
    cost ALERTS | waiting COUNT | fair | history MOST | connectors MOST";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Fails only if one was installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let outcome = match arguments.as_slice() {
        ["receive", ca_file] => process::on_runtime(receiver::receive(ca_file)),
        ["bare", ca_file, base, payload_file, count] => {
            process::on_runtime(bare::post(ca_file, base, payload_file, count))
        }
        [server, store, rest @ ..] => match Store::parse(store) {
            Some(store) => measure(server, store, rest),
            None => Err(anyhow::anyhow!(USAGE)),
        },
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::talk(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(server: &str, store: Store, what: &[&str]) -> anyhow::Result<()> {
    match what {
        ["waiting", count] => number(count, |count| more::waiting(server, store, count)),
        ["fair"] => process::on_runtime(more::fair(server, store)),
        ["history", most] => number(most, |most| more::history(server, store, most)),
        ["connectors", most] => number(most, |most| more::connectors(server, store, most)),
        ["cost", alerts] => process::on_runtime(run::run(server, store, alerts)),
        _ => Err(anyhow::anyhow!(USAGE)),
    }
}

fn number<F: Future<Output = anyhow::Result<()>>>(
    text: &str,
    measure: impl FnOnce(usize) -> F,
) -> anyhow::Result<()> {
    process::on_runtime(measure(text.parse()?))
}
