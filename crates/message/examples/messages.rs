//! Prints what Slack and Teams would be sent for the alerts of a JSON list on standard input, one payload a line after its
//! platform and what was trimmed, so that people can read messages before they change how they look.

use std::io::{self, Read, Write};

use alert_connectors_message::{Shown, platform};
use alert_connectors_model::{ConnectorType, Json, Loc, parse_alert};
use jiff::Timestamp;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    let Json::List(alerts) = Json::parse(&body)? else {
        return Err("standard input holds a JSON list of alerts".into());
    };
    let mut out = io::stdout().lock();
    for (at, alert) in alerts.into_iter().enumerate() {
        let parsed = parse_alert(alert, &Loc::body().item(at), Timestamp::UNIX_EPOCH);
        let alert = parsed.map_err(|faults| format!("{faults:?}"))?.alert;
        let page = Some("https://alerts.example.com/1");
        for connector_type in [ConnectorType::Slack, ConnectorType::Teams] {
            let message = platform(connector_type).message(Shown::whole(&alert, page));
            let trimmed: Vec<_> = message
                .trimmed
                .iter()
                .map(|trim| format!("{} {}→{}", trim.field, trim.from, trim.to))
                .collect();
            let payload = String::from_utf8(message.payload)?;
            writeln!(
                out,
                "{} {}\t{payload}",
                connector_type.as_str(),
                trimmed.join(", ")
            )?;
        }
    }
    Ok(())
}
