//! Where spans of sampled alerts go, and how many alerts are sampled.

use alert_connectors_model::Secret;
use alert_connectors_traces::{Collector, SampleRatio};
use url::Url;

use super::{Faults, Layers, reading::maybe};

/// The settings of traces.
pub(crate) struct TracesConfig {
    /// The address of the collector.
    pub(crate) endpoint: Url,
    /// Headers of each request to it, as `NAME=VALUE`.
    pub(crate) headers: Vec<Secret>,
    /// How many of the requests are sampled whose callers don't say it.
    pub(crate) ratio: SampleRatio,
}

pub(super) const RATIO_DEFAULT: &str = "0.01";

impl TracesConfig {
    /// Nothing unless a collector is named.
    pub(super) fn parse(layers: &Layers, faults: &mut Faults) -> Option<Self> {
        let endpoint = maybe(layers, "otlp-endpoint", faults, |text| {
            Collector::address(text).map_err(|error| error.to_string())
        });
        let headers = maybe(layers, "otlp-headers-file", faults, headers);
        let ratio = maybe(layers, "otlp-sample-ratio", faults, |text| {
            let wanted = || format!("{text:?} is no number from 0 to 1, such as {RATIO_DEFAULT}");
            SampleRatio::parse(text).ok_or_else(wanted)
        });
        if layers.one("otlp-endpoint").is_none() {
            for name in ["otlp-headers-file", "otlp-sample-ratio"] {
                if let Some((_, origin)) = layers.one(name) {
                    faults.add(origin, name, "name the collector with --otlp-endpoint");
                }
            }
        }
        Some(Self {
            endpoint: endpoint?,
            headers: headers.unwrap_or_default(),
            ratio: ratio.unwrap_or(SampleRatio::DEFAULT),
        })
    }
}

/// Headers from a file, one a line. What is in it is secret, so a fault names its line alone.
fn headers(path: &str) -> Result<Vec<Secret>, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{path} can't be read: {error}"))?;
    let lines = text.lines().enumerate();
    let written = lines.filter(|(_, line)| !line.trim().is_empty());
    let header = |(index, line): (usize, &str)| {
        let header = Secret::new(line.trim());
        let is_header = Collector::is_header(&header);
        let wrong = || {
            format!(
                "line {} of {path} is no header: write it as NAME=VALUE",
                index + 1
            )
        };
        is_header.then_some(header).ok_or_else(wrong)
    };
    written.map(header).collect()
}
