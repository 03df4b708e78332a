//! The files of `apply`: which connectors spaces should have, in YAML or TOML.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use alert_connectors_model::{
    AddressPolicy, Json, NewConnector, Slug, UrlRules, parse_new_connector,
};
use serde_json::{Map, Value};

use super::talk;
use crate::config::toml_fault;

/// A file may be this large, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// At most this many faults are listed.
const FAULTS_MAX: usize = 100;

/// What a space should have.
pub(super) struct SpaceManifest {
    pub(super) slug: Slug,
    pub(super) connectors: Vec<NewConnector>,
}

/// Reads all files. Returns the spaces in them, as far as they can be read, and every fault of theirs, with its place.
pub(super) fn read(paths: &[PathBuf]) -> (Vec<SpaceManifest>, Vec<String>) {
    let mut reader = Reader {
        rules: UrlRules {
            // The server knows which networks it may reach.
            addresses: AddressPolicy::allowing(
                ["0.0.0.0/0", "::/0"]
                    .into_iter()
                    .filter_map(|network| network.parse().ok())
                    .collect(),
            ),
            ..UrlRules::default()
        },
        spaces: Vec::new(),
        faults: Vec::new(),
    };
    for path in paths {
        reader.file(path);
    }
    let more = reader.faults.len().saturating_sub(FAULTS_MAX);
    reader.faults.truncate(FAULTS_MAX);
    if more > 0 {
        reader.faults.push(format!("and {more} more faults"));
    }
    (reader.spaces, reader.faults)
}

struct Reader {
    rules: UrlRules,
    spaces: Vec<SpaceManifest>,
    faults: Vec<String>,
}

impl Reader {
    fn fault(&mut self, place: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{place}: {what}"));
    }

    fn file(&mut self, path: &Path) {
        let place = path.display().to_string();
        let document = match parsed(path) {
            Ok(document) => document,
            Err(what) => return self.fault(&place, what),
        };
        let Value::Object(mut document) = document else {
            return self.fault(&place, "the file must be a mapping with the key spaces");
        };
        let spaces = document.remove("spaces");
        self.refuse_others(&place, &document, &["spaces"]);
        let Some(Value::Object(spaces)) = spaces else {
            return self.fault(
                &place,
                "spaces must map slugs to what each space should have",
            );
        };
        for (slug, space) in spaces {
            self.space(path, &format!("{place}: spaces.{slug}"), &slug, space);
        }
    }

    fn space(&mut self, path: &Path, place: &str, slug: &str, space: Value) {
        let Some(slug) = Slug::parse(slug) else {
            return self.fault(place, Slug::RULE);
        };
        if self.spaces.iter().any(|other| other.slug == slug) {
            self.fault(
                place,
                "the space appears twice; put its connectors together, in one file",
            );
        }
        let Value::Object(mut space) = space else {
            return self.fault(place, "a space must be a mapping with the key connectors");
        };
        let connectors = space.remove("connectors");
        self.refuse_others(place, &space, &["connectors"]);
        let Some(Value::Array(list)) = connectors else {
            return self.fault(place, "connectors must be a list; an empty one is []");
        };
        let mut connectors = Vec::new();
        let mut names = BTreeSet::new();
        for (at, one) in list.into_iter().enumerate() {
            let name = one["name"].as_str().map(ToOwned::to_owned);
            let shown = name
                .as_ref()
                .map_or_else(String::new, |name| format!(" ({name})"));
            let place = format!("{place}.connectors.{at}{shown}");
            if let Some(name) = name
                && !names.insert(name)
            {
                self.fault(
                    &place,
                    "the name appears twice; connectors are known by their names",
                );
            }
            connectors.extend(self.connector(path, &place, one));
        }
        self.spaces.push(SpaceManifest { slug, connectors });
    }

    fn connector(&mut self, path: &Path, place: &str, one: Value) -> Option<NewConnector> {
        let Value::Object(mut one) = one else {
            self.fault(place, "a connector must be a mapping");
            return None;
        };
        self.refuse_others(place, &one, &KEYS);
        one.retain(|name, _| KEYS.contains(&name.as_str()));
        let url = one.remove("webhook_url").unwrap_or_default();
        match webhook_url(path, place, &url) {
            Ok(url) => {
                one.insert("webhook_url".to_owned(), url.into());
            }
            Err(what) => self.fault(place, what),
        }
        // A URL that is missing was said already.
        let has_url = one.contains_key("webhook_url");
        let text = Value::Object(one).to_string();
        let json = Json::parse(text.as_bytes()).ok()?;
        match parse_new_connector(json, &self.rules) {
            Ok(connector) => Some(connector),
            Err(faults) => {
                for fault in faults {
                    if has_url || fault.loc.to_string() != "body.webhook_url" {
                        self.fault(place, fault.msg);
                    }
                }
                None
            }
        }
    }

    fn refuse_others(&mut self, place: &str, object: &Map<String, Value>, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let known = known.join(", ");
            self.fault(place, format!("there is no {name}; the names are {known}"));
        }
    }
}

/// What a connector is described by: the names of the API.
const KEYS: [&str; 6] = [
    "name",
    "connector_type",
    "webhook_url",
    "severity_filter",
    "alert_type_filter",
    "is_active",
];

/// The document of a file, by its ending.
fn parsed(path: &Path) -> Result<Value, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!(
            "the file has {size} bytes; at most {FILE_BYTES_MAX} are read"
        ));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_other| "the file is not UTF-8 text")?;
    if path.extension().is_some_and(|ending| ending == "toml") {
        toml_document(&text)
    } else {
        yaml_document(&text)
    }
}

fn toml_document(text: &str) -> Result<Value, String> {
    let document: toml::Value = toml::from_str(text).map_err(|error| toml_fault(text, &error))?;
    serde_json::to_value(document).map_err(|_odd| "a number is not finite".to_owned())
}

fn yaml_document(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        // Without the snippet of the file, which may hold a webhook URL.
        let what = error.without_snippet();
        let what = what.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        format!("the file is not valid YAML: {what}")
    })
}

/// The URL itself: as it stands, with `${NAME}` from the environment, or from `{env: NAME}` or `{file: PATH}`.
fn webhook_url(path: &Path, place: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.contains("${") => expanded(text),
        Value::String(text) => {
            talk(format_args!(
                "warning: {place}: webhook_url stands in the file; take a secret from the environment or a file of its own"
            ));
            Ok(text.clone())
        }
        Value::Object(from) if from.len() == 1 => {
            match (from.get("env"), from.get("file")) {
                (Some(Value::String(name)), _) => variable(name),
                (_, Some(Value::String(file))) => {
                    // Beside the file that names it.
                    let file = path.parent().unwrap_or(Path::new(".")).join(file);
                    let url = fs::read_to_string(&file);
                    let url = url.map_err(|error| format!("{}: {error}", file.display()))?;
                    Ok(url.trim().to_owned())
                }
                _ => Err(HOW_TO_NAME_A_URL.to_owned()),
            }
        }
        _ => Err(HOW_TO_NAME_A_URL.to_owned()),
    }
}

const HOW_TO_NAME_A_URL: &str = "webhook_url must be \"${NAME}\", {env: NAME} or {file: PATH}: a secret does not stand in the file";

fn expanded(text: &str) -> Result<String, String> {
    let (mut url, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after
            .split_once('}')
            .ok_or("webhook_url has a ${ without a }")?;
        url.push_str(before);
        url.push_str(&variable(name)?);
        rest = after;
    }
    url.push_str(rest);
    Ok(url)
}

fn variable(name: &str) -> Result<String, String> {
    // The file names it, and no option could.
    let value = env::var_os(name).and_then(|value| value.into_string().ok());
    match value {
        Some(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
        _ => Err(format!("webhook_url: the environment has no {name}")),
    }
}
