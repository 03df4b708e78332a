//! From JSON to a new connector or a change of one, with every fault at once.

use crate::{
    AddressPolicy, AlertType, AlertTypeFilter, Connector, ConnectorChange, ConnectorType, Fault,
    FaultKind, FieldReader, HostPattern, Json, Loc, Severity, SeverityFilter, WebhookUrl,
    alert_parse::{alert_type_fault, is_visible, not_one_of},
};

const NAME_CHARS_MAX: usize = 120;
/// What a GET shows and a client may send back; ignored.
const READ_ONLY: [&str; 5] = ["id", "space_id", "created_by", "created_at", "updated_at"];

/// Where webhook URLs may lead, as far as that can be checked when they are entered.
#[derive(Debug, Clone, Default)]
pub struct UrlRules {
    /// The addresses that may be connected to.
    pub addresses: AddressPolicy,
    /// If not empty, only these hosts (`--allow-host`).
    pub hosts: Vec<HostPattern>,
    /// Names of this machine.
    pub own_names: Vec<String>,
}

impl UrlRules {
    /// Checks a URL together with the platform it is for.
    pub fn check(&self, url: &WebhookUrl, connector_type: ConnectorType) -> Result<(), Fault> {
        let fault = |(kind, msg)| Fault::new(Loc::body().field("webhook_url"), kind, msg);
        if !self.permits_host(url) {
            let msg = "The operator allows webhooks only to certain hosts (--allow-host), and this is none of them.";
            return Err(fault((FaultKind::NotPublic, msg.to_owned())));
        }
        url.check(connector_type, &self.addresses, &self.own_names)
            .map_err(fault)
    }

    /// Whether `--allow-host` allows the host.
    pub fn permits_host(&self, url: &WebhookUrl) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(url.host()))
    }
}

/// A connector to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConnector {
    /// Its name for people.
    pub name: String,
    /// The platform it speaks to.
    pub connector_type: ConnectorType,
    /// Where its messages go.
    pub webhook_url: WebhookUrl,
    /// Whether it gets alerts.
    pub is_active: bool,
    /// The severities it forwards.
    pub severity_filter: SeverityFilter,
    /// The alert types it forwards.
    pub alert_type_filter: AlertTypeFilter,
}

/// Reads the body of a create request.
pub fn parse_new_connector(json: Json<'_>, rules: &UrlRules) -> Result<NewConnector, Vec<Fault>> {
    let mut reader = ConnectorReader(FieldReader::of_body(json)?);
    let change = reader.change();
    for name in ["name", "connector_type", "webhook_url"] {
        reader.0.require(name);
    }
    if let (Some(url), Some(connector_type)) = (&change.webhook_url, change.connector_type) {
        reader.check(rules, url, connector_type);
    }
    let new = || {
        Some(NewConnector {
            name: change.name?,
            connector_type: change.connector_type?,
            webhook_url: change.webhook_url?,
            is_active: change.is_active.unwrap_or(true),
            severity_filter: change.severity_filter.unwrap_or_default(),
            alert_type_filter: change.alert_type_filter.unwrap_or_default(),
        })
    };
    reader.0.finish(new())
}

/// Reads a webhook that is tried before a connector is made for it: its type and its URL.
pub fn parse_webhook(
    json: Json<'_>,
    rules: &UrlRules,
) -> Result<(ConnectorType, WebhookUrl), Vec<Fault>> {
    let mut reader = ConnectorReader(FieldReader::of_body(json)?);
    let (connector_type, url) = (reader.connector_type(), reader.webhook_url());
    reader.0.refuse_unknown(&[]);
    for name in ["connector_type", "webhook_url"] {
        reader.0.require(name);
    }
    if let (Some(url), Some(connector_type)) = (&url, connector_type) {
        reader.check(rules, url, connector_type);
    }
    reader.0.finish(connector_type.zip(url))
}

/// Reads the body of a PATCH of `current`; type and URL are checked as they will be together.
pub fn parse_connector_change(
    json: Json<'_>,
    current: &Connector,
    rules: &UrlRules,
) -> Result<ConnectorChange, Vec<Fault>> {
    let mut reader = ConnectorReader(FieldReader::of_body(json)?);
    let change = reader.change();
    if change.webhook_url.is_some() || change.connector_type.is_some() {
        let merged = change.applied_to(current);
        reader.check(rules, &merged.webhook_url, merged.connector_type);
    }
    reader.0.finish(Some(change))
}

struct ConnectorReader<'j>(FieldReader<'j>);

impl ConnectorReader<'_> {
    fn change(&mut self) -> ConnectorChange {
        let change = ConnectorChange {
            name: self.name(),
            connector_type: self.connector_type(),
            webhook_url: self.webhook_url(),
            is_active: self.is_active(),
            severity_filter: self.severity_filter(),
            alert_type_filter: self.alert_type_filter(),
        };
        self.0.refuse_unknown(&READ_ONLY);
        change
    }

    fn check(&mut self, rules: &UrlRules, url: &WebhookUrl, connector_type: ConnectorType) {
        if let Err(fault) = rules.check(url, connector_type) {
            self.0.push(fault);
        }
    }

    fn name(&mut self) -> Option<String> {
        let text = self.0.text("name")?;
        let name = text.trim();
        if !name.chars().any(is_visible) {
            self.0.fault(
                "name",
                FaultKind::TooShort,
                "name must show at least one character.",
            );
        } else if name.chars().count() > NAME_CHARS_MAX {
            self.0.fault(
                "name",
                FaultKind::TooLong,
                "name has at most 120 characters.",
            );
        } else if name.chars().any(char::is_control) {
            self.0.fault(
                "name",
                FaultKind::NotOneOf,
                "name must not hold control characters or line breaks.",
            );
        } else {
            return Some(name.to_owned());
        }
        None
    }

    fn connector_type(&mut self) -> Option<ConnectorType> {
        let text = self.0.text("connector_type")?;
        let parsed = ConnectorType::parse(&text);
        if parsed.is_none() {
            let msg = not_one_of(
                "connector_type",
                &text,
                ConnectorType::ALL.map(ConnectorType::as_str),
            );
            self.0.fault("connector_type", FaultKind::NotOneOf, msg);
        }
        parsed
    }

    fn webhook_url(&mut self) -> Option<WebhookUrl> {
        let text = self.0.text("webhook_url")?;
        WebhookUrl::parse(&text)
            .map_err(|(kind, msg)| self.0.fault("webhook_url", kind, msg))
            .ok()
    }

    fn is_active(&mut self) -> Option<bool> {
        match self.0.take("is_active")? {
            Json::Bool(value) => Some(value),
            other => {
                self.0.wrong_type("is_active", "true or false", &other);
                None
            }
        }
    }

    fn severity_filter(&mut self) -> Option<SeverityFilter> {
        let json = self.0.take("severity_filter")?;
        let items = self.items("severity_filter", json, |text| {
            Severity::parse(text).ok_or_else(|| {
                let msg = not_one_of("A severity", text, Severity::ALL.map(Severity::as_str));
                (FaultKind::NotOneOf, msg)
            })
        })?;
        Some(SeverityFilter::new(items))
    }

    fn alert_type_filter(&mut self) -> Option<AlertTypeFilter> {
        let json = match self.0.take("alert_type_filter")? {
            Json::Null => return Some(AlertTypeFilter::All),
            json => json,
        };
        let items = self.items("alert_type_filter", json, |text| {
            AlertType::parse(text).ok_or_else(|| alert_type_fault(text))
        })?;
        let filter = AlertTypeFilter::only(items);
        if filter
            .types()
            .is_some_and(|types| types.len() > AlertTypeFilter::ENTRIES_MAX)
        {
            self.0.fault(
                "alert_type_filter",
                FaultKind::TooMany,
                "alert_type_filter has at most 64 entries.",
            );
            return None;
        }
        Some(filter)
    }

    /// The parsed items of a list of strings, or nothing if any is at fault.
    fn items<T>(
        &mut self,
        name: &'static str,
        json: Json<'_>,
        parse: impl Fn(&str) -> Result<T, (FaultKind, String)>,
    ) -> Option<Vec<T>> {
        let Json::List(items) = json else {
            self.0.wrong_type(name, "a list of strings", &json);
            return None;
        };
        let faults_before = self.0.fault_count();
        let mut parsed = Vec::with_capacity(items.len().min(AlertTypeFilter::ENTRIES_MAX));
        for (index, item) in items.iter().enumerate() {
            let outcome = match item {
                Json::Text(text) => parse(text),
                Json::Null => Err((
                    FaultKind::Null,
                    "An entry must be a string; this is null.".to_owned(),
                )),
                other => {
                    let msg = format!("An entry must be a string; this is {}.", other.type_name());
                    Err((FaultKind::WrongType, msg))
                }
            };
            match outcome {
                Ok(item) => parsed.push(item),
                Err((kind, msg)) => self.0.fault_of_item(name, index, kind, msg),
            }
        }
        (self.0.fault_count() == faults_before).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(text: &str) -> Result<NewConnector, Vec<(String, FaultKind)>> {
        parse_new_connector(Json::parse(text.as_bytes()).unwrap(), &UrlRules::default()).map_err(
            |faults| {
                faults
                    .into_iter()
                    .map(|f| (f.loc.to_string(), f.kind))
                    .collect()
            },
        )
    }

    #[test]
    fn the_contracts_example_is_taken() {
        let connector = create(
            r##"{"name":"#data-quality-alerts","connector_type":"slack",
            "webhook_url":"https://hooks.slack.com/services/T00/B00/xxx",
            "severity_filter":["high","critical"],"alert_type_filter":null}"##,
        )
        .unwrap();
        assert_eq!(connector.severity_filter, SeverityFilter::default());
        assert_eq!(connector.alert_type_filter, AlertTypeFilter::All);
        assert!(connector.is_active);
    }

    #[test]
    fn every_fault_is_said_at_once_with_its_place() {
        let faults = create(
            r#"{"name":" ","connector_type":"slak","webhookurl":"x","severity_filter":["high",1,"urgent"],
            "alert_type_filter":["OK"],"is_active":null,"id":"ignored"}"#,
        )
        .unwrap_err();
        let expected = [
            ("body.name", FaultKind::TooShort),
            ("body.connector_type", FaultKind::NotOneOf),
            ("body.is_active", FaultKind::Null),
            ("body.severity_filter.1", FaultKind::WrongType),
            ("body.severity_filter.2", FaultKind::NotOneOf),
            ("body.alert_type_filter.0", FaultKind::NotOneOf),
            ("body.webhookurl", FaultKind::UnknownField),
            ("body.webhook_url", FaultKind::Missing),
        ];
        assert_eq!(faults, expected.map(|(loc, kind)| (loc.to_owned(), kind)));
    }

    #[test]
    fn a_null_severity_filter_is_a_fault_and_an_empty_one_is_kept() {
        let with = |filter: &str| {
            create(&format!(
                r#"{{"name":"n","connector_type":"slack","webhook_url":"https://a.example/","severity_filter":{filter}}}"#
            ))
        };
        assert_eq!(
            with("null").unwrap_err(),
            [("body.severity_filter".to_owned(), FaultKind::Null)]
        );
        assert!(with("[]").unwrap().severity_filter.severities().is_empty());
    }
}
