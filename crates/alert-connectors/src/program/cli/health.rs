//! `health`: whether a server is ready, for what watches over containers.

use std::time::Duration;

use clap::Args;
use reqwest::StatusCode;

use super::{
    CommandError, CommandResult,
    remote::{checked_server, client},
    wait_for,
};

#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 ready, 1 not ready, 4 not reached.

Example:
  alert-connectors health --server http://127.0.0.1:8080")]
pub(super) struct Options {
    /// The server
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "ALERT_CONNECTORS_SERVER"
    )]
    server: String,
}

/// Container runtimes give up on a health check after a few seconds.
const ANSWER_MAX: Duration = Duration::from_secs(2);

pub(super) fn run(options: &Options) -> CommandResult {
    let server = checked_server(&options.server)?;
    wait_for(async move {
        let request = client()?.get(format!("{server}/health/ready"));
        let answer = request.timeout(ANSWER_MAX).send().await;
        match answer.map(|answer| answer.status()) {
            Ok(StatusCode::OK) => Ok(()),
            Ok(status) => {
                let line = format!("{server} is not ready ({status})");
                Err(CommandError::Refused(line))
            }
            Err(error) => {
                let line = format!("{server} can't be reached: {}", error.without_url());
                Err(CommandError::Unreachable(line))
            }
        }
    })
}
