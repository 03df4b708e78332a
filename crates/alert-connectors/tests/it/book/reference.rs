//! The reference pages, which are made from the program itself.

use std::{fmt::Write, fs, path::Path};

use serde_json::{Map, Value};

use super::pages::source;
use crate::world::output;

/// Compares a page with what the program generates; `UPDATE_BOOK` rewrites it.
fn hold(name: &str, made: &str) {
    let path = source().join(name);
    if std::env::var_os("UPDATE_BOOK").is_some() {
        fs::write(&path, made).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == made,
        "{name} is stale; run the tests with UPDATE_BOOK=1 and look at the diff"
    );
}

fn help(command: &[String]) -> String {
    let arguments = command.iter().map(String::as_str);
    output(&arguments.chain(["--help"]).collect::<Vec<_>>())
}

/// The commands below a command.
fn below(help: &str) -> Vec<&str> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").collect()
}

fn describe(command: &[String], page: &mut String) {
    let help = help(command);
    let name = [&["alert-connectors".to_owned()][..], command]
        .concat()
        .join(" ");
    write!(page, "\n## `{name}`\n\n```text\n{help}\n```\n").unwrap();
    for next in below(&help) {
        describe(&[command, &[next.to_owned()]].concat(), page);
    }
}

#[test]
fn the_commands_are_those_of_the_program() {
    let mut page =
        "# Command line\n\nEvery command with its `--help`. This page is made from the program.\n"
            .to_owned();
    describe(&[], &mut page);
    hold("reference/cli.md", &page);
}

/// An option of `serve`, as its help shows it.
struct ServeOption {
    flag: String,
    value: String,
    environment: String,
    default: String,
    meaning: String,
}

impl ServeOption {
    /// Reads the line of a flag and the line below it, where what it means stands unless it fits behind the flag.
    fn of(line: &str, below: &str) -> Option<Self> {
        let (flag, text) = line.trim().split_once("  ").unwrap_or((line.trim(), below));
        // A value that may be left out stands in brackets: --flag[=<VALUE>].
        let (flag, value) = flag.split_once(' ').or_else(|| flag.split_once("[="))?;
        let part = |name: &str| {
            let (_, rest) = text.split_once(&format!("[{name}: "))?;
            Some(rest.split(']').next()?.trim_end_matches('=').to_owned())
        };
        let meaning = text.split(" [").next().unwrap_or_default();
        Some(Self {
            flag: flag.to_owned(),
            value: value
                .trim_end_matches(">]")
                .trim_matches(['<', '>'])
                .to_owned(),
            environment: part("env")?,
            default: part("default").unwrap_or_else(|| "none".to_owned()),
            meaning: meaning.trim().to_owned(),
        })
    }
}

#[test]
fn the_settings_are_those_of_the_program() {
    let help = help(&["serve".to_owned()]);
    let lines: Vec<&str> = help.lines().collect();
    let flags = lines
        .windows(2)
        .filter(|pair| pair[0].starts_with("      --"));
    let options: Vec<ServeOption> = flags
        .filter_map(|pair| ServeOption::of(pair[0], pair[1]))
        .collect();
    let shown = output(&["serve", "--print-config"]);
    for line in shown.lines() {
        let name = line.trim_start_matches("# ").split(' ').next();
        let flag = format!("--{}", name.unwrap());
        let is_there = options.iter().any(|option| option.flag == flag);
        assert!(is_there, "{flag} is missing");
    }
    let mut page = "# Configuration\n\nEach setting of `serve` is a flag, an environment variable or a key of a TOML file (`--config`), in that order \
        of precedence. The key is the flag without its dashes. A repeatable setting is a list in TOML and divided by commas in the \
        environment. `serve --print-config` shows the effective settings and where each comes from. This page is made from the \
        program.\n\n| flag | environment | default | |\n|---|---|---|---|\n"
        .to_owned();
    for option in options {
        let ServeOption {
            flag,
            value,
            environment,
            default,
            meaning,
        } = option;
        let default = default.replace('`', "");
        writeln!(
            page,
            "| `{flag} {value}` | `{environment}` | {default} | {meaning} |"
        )
        .unwrap();
    }
    hold("reference/configuration.md", &page);
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A description in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// What a value is, in a word; a name leads to its table.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let some = ["oneOf", "anyOf", "allOf"]
        .iter()
        .find_map(|of| schema[of].as_array());
    if let Some(some) = some {
        let kinds: Vec<String> = some.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    let one = |name: &str| match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => {
            let names: Vec<String> = names.iter().filter_map(Value::as_str).map(one).collect();
            names.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn operation(method: &str, path: &str, operation: &Value, page: &mut String) {
    write!(
        page,
        "\n### `{} {path}`\n\n{}\n",
        method.to_uppercase(),
        text(operation, "summary")
    )
    .unwrap();
    if let Some(more) = operation["description"].as_str() {
        write!(page, "\n{more}\n").unwrap();
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<String> = parameters
        .map(|one| {
            let what = kind(&one["schema"]);
            format!(
                "| `{}` | {} | {what} | {} |\n",
                text(one, "name"),
                text(one, "in"),
                cell(text(one, "description"))
            )
        })
        .collect();
    if !parameters.is_empty() {
        write!(
            page,
            "\n| parameter | in | type | |\n|---|---|---|---|\n{}",
            parameters.concat()
        )
        .unwrap();
    }
    for (media, body) in operation["requestBody"]["content"]
        .as_object()
        .into_iter()
        .flatten()
    {
        write!(page, "\nBody, `{media}`: {}\n", kind(&body["schema"])).unwrap();
    }
    page.push_str("\n| answer | |\n|---|---|\n");
    for (status, answer) in operation["responses"].as_object().unwrap() {
        let bodies = answer["content"].as_object().into_iter().flatten();
        let kinds: Vec<String> = bodies.map(|(_, body)| kind(&body["schema"])).collect();
        let described = match answer["description"].as_str() {
            Some(said) if kinds.is_empty() => cell(said),
            Some(said) => format!("{}: {}", cell(said), kinds.join(" or ")),
            None => "a [Problem](#problem)".to_owned(),
        };
        let status = if status == "default" {
            "any other"
        } else {
            status
        };
        writeln!(page, "| {status} | {described} |").unwrap();
    }
}

fn schema(name: &str, schema: &Value, page: &mut String) {
    write!(page, "\n### {name}\n\n{}\n", text(schema, "description")).unwrap();
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap()))
            .collect();
        write!(page, "\nOne of {}.\n", words.join(", ")).unwrap();
    }
    if schema["oneOf"].is_array() {
        write!(page, "\nEither {}.\n", kind(schema)).unwrap();
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    if properties.is_empty() {
        return;
    }
    page.push_str("\n| field | type | |\n|---|---|---|\n");
    for (field, of) in properties {
        let options = of["oneOf"].as_array().into_iter().flatten();
        let said = options
            .chain([of])
            .find_map(|one| one["description"].as_str());
        let must = if required.contains(&field.as_str()) {
            ""
        } else {
            ", optional"
        };
        writeln!(
            page,
            "| `{field}` | {}{must} | {} |",
            kind(of),
            cell(said.unwrap_or_default())
        )
        .unwrap();
    }
}

#[test]
fn the_calls_are_those_of_the_description() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let document: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut page = "# API\n\nEvery call and every object. A running server shows the same at `/docs`, and serves the description for programs at \
        `/openapi.json`, from which this page is made.\n"
        .to_owned();
    for (tag, title) in [
        ("alerts", "Alerts"),
        ("connectors", "Connectors"),
        ("deliveries", "Deliveries"),
        ("spaces", "Spaces"),
        ("identity", "Identity"),
        ("operations", "Operations"),
    ] {
        write!(page, "\n## {title}\n").unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, one) in methods.as_object().unwrap() {
                if one["tags"][0] == tag {
                    operation(method, path, one, &mut page);
                }
            }
        }
    }
    page.push_str("\n## Objects\n");
    for (name, one) in document["components"]["schemas"].as_object().unwrap() {
        schema(name, one, &mut page);
    }
    let calls = document["paths"].as_object().unwrap().values();
    let calls: usize = calls
        .map(|methods| methods.as_object().unwrap().len())
        .sum();
    assert_eq!(page.matches("\n### `").count(), calls, "a tag is missing");
    hold("reference/api.md", &page);
}
