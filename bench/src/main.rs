//! What an alert costs: the release server at saturation over 64 destinations, against a bare HTTPS client that posts the
//! same bytes to the same receiver in the same run. Each of them is a process of its own, and its CPU time is read from
//! the system, so that nobody's work is counted as another's.

mod bare;
mod client;
mod lab;
mod more;
mod process;
mod receiver;
mod run;
mod stats;

use std::process::ExitCode;

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
        [server, "waiting", count] => number(count, |count| more::waiting(server, count)),
        [server, "fair"] => process::on_runtime(more::fair(server)),
        [server, "history", most] => number(most, |most| more::history(server, most)),
        [server, "connectors", most] => number(most, |most| more::connectors(server, most)),
        [server, "cost", alerts] => process::on_runtime(run::run(server, alerts)),
        _ => Err(anyhow::anyhow!(
            "usage: alert-connectors-bench PATH-OF-THE-SERVER cost ALERTS | waiting COUNT | fair | history MOST | connectors MOST"
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::talk(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn number<F: Future<Output = anyhow::Result<()>>>(
    text: &str,
    measure: impl FnOnce(usize) -> F,
) -> anyhow::Result<()> {
    process::on_runtime(measure(text.parse()?))
}
