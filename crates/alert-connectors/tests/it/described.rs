//! Holds every answer that a test gets to the OpenAPI document: its status, its media type, and its body to the last field.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::world::Answer;

/// The document that is checked in, in which no shape may have fields that it does not name.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let shapes = document.pointer_mut("/components/schemas").unwrap();
    for shape in shapes.as_object_mut().unwrap().values_mut() {
        if shape.get("properties").is_some() {
            shape["additionalProperties"] = json!(false);
        }
    }
    document
});

/// Validators by the schemas that they are made of.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let whole = json!({"allOf": [schema], "components": DOCUMENT["components"]});
        Arc::new(jsonschema::draft202012::new(&whole).unwrap())
    };
    Arc::clone(validators.entry(schema.to_string()).or_insert_with(make))
}

/// Whether a path is one of a template.
fn is_of(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let mut parts = template.iter().zip(&path);
    template.len() == path.len()
        && parts.all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
}

/// What the document says of the answer to a call: one of its own status, or a problem.
fn described(method: &str, path: &str, status: &str) -> Value {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // A path without parameters comes before one with them.
    let exact = paths.get(path);
    let operations = exact.or_else(|| {
        paths
            .iter()
            .find(|(template, _)| is_of(template, path))
            .map(|(_, found)| found)
    });
    let answers = operations.map(|operations| &operations[method.to_lowercase()]["responses"]);
    let of_status = answers.and_then(|answers| answers.get(status));
    // What is no route, or no method of one, is answered with a problem like everything else that is wrong.
    of_status
        .unwrap_or(&DOCUMENT["components"]["responses"]["AnyProblem"])
        .clone()
}

/// Fails where an answer is not as the document says.
pub(crate) fn hold(method: &str, path: &str, answer: &Answer) {
    let place = || format!("{method} {path} {}: {}", answer.status, answer.text);
    let described = described(method, path, answer.status.as_str());
    let Some(content) = described.get("content") else {
        return assert!(answer.text.is_empty(), "{}", place());
    };
    let media_type = answer.headers.get("content-type");
    let media_type = media_type
        .map_or("", |value| value.to_str().unwrap())
        .split(';')
        .next()
        .unwrap();
    let Some(found) = content.get(media_type) else {
        unreachable!("{media_type} is not described: {}", place());
    };
    if media_type.ends_with("json")
        && let Some(schema) = found.get("schema")
        && let Err(fault) = validator(schema).validate(&answer.body)
    {
        unreachable!("{fault} at {}: {}", fault.instance_path(), place());
    }
}
