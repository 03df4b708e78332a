//! Rate limits as they are written: `slack=1/1s,burst=4`.

use alert_connectors_delivery::{Rate, Rates};
use alert_connectors_model::ConnectorType;

use super::{Faults, Layers, length_of_time};

const HOW_TO_WRITE: &str = "write it as slack=1/1s,burst=4 or teams=unlimited";

/// The rates in their order. A comma divides the rates of a list and also stands before a burst.
pub(super) fn rates(layers: &Layers, faults: &mut Faults) -> Rates {
    let (texts, origin) = layers.all("rate");
    let mut whole: Vec<String> = Vec::new();
    for text in texts {
        match whole.last_mut() {
            Some(last) if text.starts_with("burst=") => {
                last.push(',');
                last.push_str(text);
            }
            _ => whole.push(text.clone()),
        }
    }
    let mut rates = Rates::default();
    for text in whole {
        match one(&text) {
            Ok((connector_type, rate)) => rates = rates.with(connector_type, rate),
            Err(what) => faults.add(origin, "rate", what),
        }
    }
    rates
}

/// The rate of one platform; `None` for no limit. A burst that is left out is one.
fn one(text: &str) -> Result<(ConnectorType, Option<Rate>), String> {
    let (name, rate) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} names no platform; {HOW_TO_WRITE}"))?;
    let connector_type = ConnectorType::parse(name)
        .ok_or_else(|| format!("{name:?} is neither slack nor teams; {HOW_TO_WRITE}"))?;
    if rate == "unlimited" {
        return Ok((connector_type, None));
    }
    let parsed = parse(rate).ok_or_else(|| format!("{rate:?} is no rate; {HOW_TO_WRITE}"))?;
    Ok((connector_type, Some(parsed)))
}

fn parse(text: &str) -> Option<Rate> {
    let (rate, burst) = match text.split_once(",burst=") {
        Some((rate, burst)) => (rate, burst.parse().ok()?),
        None => (text, 1),
    };
    let (count, within) = rate.split_once('/')?;
    Rate::new(count.parse().ok()?, length_of_time(within)?, burst)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        let minute = Rate::new(10, Duration::from_mins(1), 3);
        let second = Rate::new(1, Duration::from_secs(1), 1);
        for (text, expected) in [
            ("slack=10/1m,burst=3", (ConnectorType::Slack, minute)),
            ("slack=1/1s", (ConnectorType::Slack, second)),
            ("teams=unlimited", (ConnectorType::Teams, None)),
        ] {
            assert_eq!(one(text), Ok(expected), "{text}");
        }
        for wrong in [
            "slack",
            "irc=1/1s",
            "slack=1",
            "slack=0/1s",
            "slack=1/0s",
            "slack=1/1s,burst=0",
            "slack=x/1s",
        ] {
            assert!(one(wrong).unwrap_err().ends_with(HOW_TO_WRITE), "{wrong}");
        }
    }
}
