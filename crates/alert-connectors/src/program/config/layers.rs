//! The settings from flags, environment and file, each with its origin.

use std::{collections::BTreeMap, path::Path};

use alert_connectors_model::closest_match;
use clap::{ArgMatches, parser::ValueSource};
use url::Url;

use super::{
    DatabaseOptions, ServeOptions,
    options::{SsoOptions, TraceOptions},
    toml_fault::toml_fault,
};

/// All settings by the names of their flags, and whether they may be given more than once.
const SETTINGS: [(&str, bool); 36] = [
    ("listen", false),
    ("metrics-listen", false),
    ("database-url", false),
    ("secret-key-file", false),
    ("require-standby", false),
    ("public-url", false),
    ("allow-network", true),
    ("allow-host", true),
    ("ca-file", false),
    ("proxy", false),
    ("no-proxy", true),
    ("trust-proxy", true),
    ("rate", true),
    ("webhook-connections", false),
    ("retry-for", false),
    ("renotify", false),
    ("retention", false),
    ("audit-retention", false),
    ("quota", true),
    ("otlp-endpoint", false),
    ("otlp-headers-file", false),
    ("otlp-sample-ratio", false),
    ("issuer", false),
    ("audience", true),
    ("jwks-url", false),
    ("jwks-file", false),
    ("issuer-network", true),
    ("email-claim", false),
    ("name-claim", false),
    ("groups-claim", false),
    ("group-role", true),
    ("new-users", false),
    ("oidc-client-id", false),
    ("oidc-client-secret-file", false),
    ("oidc-scopes", false),
    ("log-format", false),
];

/// All faults of the settings, one line each.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<String>);

impl Faults {
    pub(crate) fn add(&mut self, origin: &str, name: &str, what: impl std::fmt::Display) {
        self.0.push(format!("{name} ({origin}): {what}"));
    }
}

struct Setting {
    values: Vec<String>,
    origin: String,
}

/// The settings as they were given.
#[derive(Default)]
pub(crate) struct Layers(BTreeMap<&'static str, Setting>);

impl Layers {
    /// Reads the settings. Flags and environment variables, as clap found them, override the file.
    pub(crate) fn read(
        database: &DatabaseOptions,
        serve: Option<(&ServeOptions, &ArgMatches)>,
        matches: &ArgMatches,
        faults: &mut Faults,
    ) -> Self {
        let mut layers = Self::default();
        if let Some(path) = &database.config {
            layers.read_file(Path::new(path), faults);
        }
        let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        layers.put("database-url", one(&database.database_url), matches);
        layers.put("secret-key-file", one(&database.secret_key_file), matches);
        if let Some((options, matches)) = serve {
            layers.put("listen", one(&options.listen), matches);
            layers.put("metrics-listen", one(&options.metrics_listen), matches);
            layers.put("require-standby", one(&options.require_standby), matches);
            layers.put("public-url", one(&options.public_url), matches);
            layers.put("allow-network", options.allow_network.clone(), matches);
            layers.put("allow-host", options.allow_host.clone(), matches);
            layers.put("ca-file", one(&options.ca_file), matches);
            layers.put("proxy", one(&options.proxy), matches);
            layers.put("no-proxy", options.no_proxy.clone(), matches);
            layers.put("trust-proxy", options.trust_proxy.clone(), matches);
            layers.put("rate", options.rate.clone(), matches);
            layers.put(
                "webhook-connections",
                one(&options.webhook_connections),
                matches,
            );
            layers.put("retry-for", one(&options.retry_for), matches);
            layers.put("renotify", one(&options.renotify), matches);
            layers.put("retention", one(&options.retention), matches);
            layers.put("audit-retention", one(&options.audit_retention), matches);
            layers.put("quota", options.quota.clone(), matches);
            layers.put("log-format", one(&options.log_format), matches);
            layers.put_traces(&options.traces, matches);
            layers.put_sso(&options.sso, matches);
        }
        layers
    }

    fn put_traces(&mut self, options: &TraceOptions, matches: &ArgMatches) {
        for (name, value) in [
            ("otlp-endpoint", &options.otlp_endpoint),
            ("otlp-headers-file", &options.otlp_headers_file),
            ("otlp-sample-ratio", &options.otlp_sample_ratio),
        ] {
            self.put(name, value.iter().cloned().collect(), matches);
        }
    }

    fn put_sso(&mut self, options: &SsoOptions, matches: &ArgMatches) {
        for (name, value) in [
            ("issuer", &options.issuer),
            ("jwks-url", &options.jwks_url),
            ("jwks-file", &options.jwks_file),
            ("email-claim", &options.email_claim),
            ("name-claim", &options.name_claim),
            ("groups-claim", &options.groups_claim),
            ("new-users", &options.new_users),
            ("oidc-client-id", &options.oidc_client_id),
            ("oidc-client-secret-file", &options.oidc_client_secret_file),
            ("oidc-scopes", &options.oidc_scopes),
        ] {
            self.put(name, value.iter().cloned().collect(), matches);
        }
        for (name, values) in [
            ("audience", &options.audience),
            ("issuer-network", &options.issuer_network),
            ("group-role", &options.group_role),
        ] {
            self.put(name, values.clone(), matches);
        }
    }

    fn put(&mut self, name: &'static str, values: Vec<String>, matches: &ArgMatches) {
        // An empty variable counts as not set.
        let values: Vec<String> = values
            .into_iter()
            .filter(|value| !value.is_empty())
            .collect();
        if values.is_empty() {
            return;
        }
        let id = name.replace('-', "_");
        let source = matches.try_get_raw(&id).ok().and(matches.value_source(&id));
        let origin = match source {
            Some(ValueSource::EnvVariable) => {
                format!("ALERT_CONNECTORS_{}", id.to_ascii_uppercase())
            }
            _ => format!("--{name}"),
        };
        self.0.insert(name, Setting { values, origin });
    }

    fn read_file(&mut self, path: &Path, faults: &mut Faults) {
        let origin = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return faults.add(&origin, "config", error),
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return faults.add(&origin, "config", toml_fault(&text, &error)),
        };
        for (key, value) in table {
            let Some((name, repeatable)) = SETTINGS.iter().find(|(name, _)| *name == key) else {
                let hint = closest_match(&key, SETTINGS.iter().map(|(name, _)| *name));
                let hint = hint
                    .map(|name| format!("; did you mean {name}?"))
                    .unwrap_or_default();
                faults.add(&origin, &key, format!("there is no such setting{hint}"));
                continue;
            };
            let values: Option<Vec<String>> = match value {
                toml::Value::String(text) => Some(vec![text]),
                toml::Value::Boolean(_) if *name == "require-standby" => {
                    Some(vec![value.to_string()])
                }
                toml::Value::Integer(_) if *name == "webhook-connections" => {
                    Some(vec![value.to_string()])
                }
                toml::Value::Integer(_) | toml::Value::Float(_) if *name == "otlp-sample-ratio" => {
                    Some(vec![value.to_string()])
                }
                toml::Value::Array(items) if *repeatable => items
                    .into_iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect(),
                _ => None,
            };
            match values {
                Some(values) => {
                    self.0.insert(
                        name,
                        Setting {
                            values,
                            origin: origin.clone(),
                        },
                    );
                }
                None if *repeatable => {
                    faults.add(&origin, name, "it must be a string or a list of strings");
                }
                None => faults.add(&origin, name, "it must be a string"),
            }
        }
    }

    /// The value of a setting and its origin.
    pub(crate) fn one(&self, name: &'static str) -> Option<(&str, &str)> {
        let setting = self.0.get(name)?;
        Some((setting.values.last()?, &setting.origin))
    }

    /// All values of a setting and their origin.
    pub(crate) fn all(&self, name: &'static str) -> (&[String], &str) {
        self.0.get(name).map_or((&[], "default"), |setting| {
            (&setting.values, &setting.origin)
        })
    }

    /// The settings that were given, in one line, secrets masked.
    pub(crate) fn given(&self) -> String {
        let shown = |(name, _): &(&'static str, bool)| {
            let (values, origin) = self.all(name);
            let masked: Vec<String> = values.iter().map(|value| masked(name, value)).collect();
            (!masked.is_empty()).then(|| format!("{name}={} ({origin})", masked.join(",")))
        };
        let given: Vec<String> = SETTINGS.iter().filter_map(shown).collect();
        given.join("; ")
    }

    /// The settings as TOML, each with its origin, secrets masked.
    pub(crate) fn shown(&self, default: impl Fn(&str) -> Option<String>) -> String {
        let mut lines = String::new();
        for (name, repeatable) in SETTINGS {
            let (values, origin) = self.all(name);
            let masked: Vec<String> = values
                .iter()
                .map(|value| quoted(&masked(name, value)))
                .collect();
            let value = match (masked.as_slice(), default(name)) {
                ([], Some(default)) => quoted(&default),
                ([], None) => {
                    lines.push_str(&format!("# {name} is not set\n"));
                    continue;
                }
                (values, _) if repeatable => format!("[{}]", values.join(", ")),
                (values, _) => values.last().cloned().unwrap_or_default(),
            };
            lines.push_str(&format!("{name} = {value}  # {origin}\n"));
        }
        lines
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Credentials inside URLs are not shown.
fn masked(name: &str, value: &str) -> String {
    if !matches!(name, "proxy" | "database-url" | "otlp-endpoint") {
        return value.to_owned();
    }
    match Url::parse(value) {
        Ok(url) if url.password().is_some() || !url.username().is_empty() => {
            let host = url.host_str().unwrap_or_default();
            let port = url
                .port()
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            format!("{}://…@{host}{port}{}", url.scheme(), url.path())
        }
        Ok(mut url) if name == "otlp-endpoint" && url.query().is_some() => {
            url.set_query(Some("…"));
            url.into()
        }
        _ => value.to_owned(),
    }
}
