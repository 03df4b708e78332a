//! The result of validating a suite of Great Expectations: `ExpectationSuiteValidationResult.to_json_dict()` of GX Core 1, and the same
//! of version 0.18 (<https://docs.greatexpectations.io/docs/reference/learn/terms/validation_result>).
//!
//! One result is one alert about the suite on its asset: a failure opens or repeats its problem, a success ends it. The result of a
//! checkpoint holds several.

use std::borrow::Cow;

use alert_connectors_model::{
    AlertStatus, Fault, FaultKind, FieldReader, Json, Loc, ObjectReader, Severity,
};

use crate::{
    draft::Draft,
    reading::Reading,
    severity_words::severity_of,
    values::{field, first, items, object, required_list, scalar_text, text},
};

const SHAPE: &str = "A validation result of Great Expectations (to_json_dict())";
/// Of the values that were not expected, this many are shown.
const UNEXPECTED_MAX: usize = 5;

/// The numbers that are read, and what they are called in an alert.
const STATISTICS: [(&str, &str); 3] = [
    ("evaluated_expectations", "Evaluated"),
    ("unsuccessful_expectations", "Failed"),
    ("success_percent", "Success percent"),
];
type Statistics<'j> = [Option<Json<'j>>; 3];

/// An expectation that was not met.
struct Failed {
    severity: Option<Severity>,
    line: String,
}

pub(crate) fn read(
    alert_type: &'static str,
    body: Json<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Vec<Fault>> {
    let mut checkpoint = FieldReader::of_body(body.clone())?;
    let Some(Json::Object(of_suites)) = checkpoint.take("run_results") else {
        let run = suite(alert_type, body, Loc::body(), reading)?;
        name_event(&[run], reading);
        return Ok(());
    };
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    for (at, (_, result)) in of_suites.into_iter().enumerate() {
        let loc = Loc::body().field("run_results").item(at);
        // Version 0.18 has it beside the results of actions.
        let mut outer = object(Some(result.clone()));
        let result = outer.take("validation_result").unwrap_or(result);
        match suite(alert_type, result, loc, reading) {
            Ok(run) => runs.push(run),
            Err(faults) => {
                reading.ignore();
                unreadable.extend(faults);
            }
        }
    }
    if runs.is_empty() && !unreadable.is_empty() {
        return Err(unreadable);
    }
    // One that can't be read takes no other along.
    for fault in unreadable {
        reading.warn(fault.loc, fault.msg);
    }
    name_event(&runs, reading);
    Ok(())
}

/// Names the event by its runs, if each of them says which it is. The next validation of the same suite is another event.
fn name_event(runs: &[Option<String>], reading: &mut Reading<'_>) {
    let named: Option<Vec<&str>> = runs.iter().map(Option::as_deref).collect();
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        reading.event_id(&named);
    }
}

/// The result of one suite. Returns which run it was, as far as it says.
fn suite(
    alert_type: &'static str,
    body: Json<'_>,
    loc: Loc,
    reading: &mut Reading<'_>,
) -> Result<Option<String>, Vec<Fault>> {
    let mut draft = reading.draft(loc.clone(), &body);
    let mut body = FieldReader::new(body, loc, "A result must be")?;
    let is_success = match body.take("success") {
        Some(Json::Bool(is_success)) => Some(is_success),
        _ => None,
    };
    let results = required_list(&mut body, "results", SHAPE);
    let mut meta = object(body.take("meta"));
    let suite = text(body.take("suite_name"));
    let suite = suite.or_else(|| text(meta.take("expectation_suite_name")));
    // Other tools have a list of results, too, and one that is empty would end a problem.
    if is_success.is_none() && suite.is_none() {
        let msg = format!("{SHAPE} has success, or names its suite; this body does neither.");
        body.fault("success", FaultKind::Missing, msg);
    }
    let mut statistics = object(body.take("statistics"));
    let statistics = STATISTICS.map(|(name, _)| {
        let value = statistics.take(name);
        value.filter(|value| matches!(value, Json::Number(_)))
    });
    let url = text(body.take("result_url"));
    let results = body.finish(results)?;
    let suite = suite.unwrap_or(Cow::Borrowed("A suite"));
    let count = results.len();
    let failed: Vec<Failed> = results.into_iter().filter_map(failed).collect();
    let counts = Counts::of(&statistics, count, failed.len());
    draft.alert_type(alert_type);
    draft.maybe_text("url", url);
    let run = about(&mut draft, &suite, meta, statistics);
    if failed.is_empty() && is_success != Some(false) {
        passed(&mut draft, &suite, &counts);
    } else {
        not_passed(&mut draft, &suite, &failed, &counts);
    }
    reading.add(draft)?;
    Ok(run)
}

/// How many expectations there were. A result may list only those that failed.
struct Counts {
    evaluated: u64,
    failed: u64,
}

impl Counts {
    fn of(statistics: &Statistics<'_>, listed: usize, failed: usize) -> Self {
        let [evaluated, unsuccessful, _] = statistics;
        let counted = |said: &Option<Json<'_>>, found: usize| {
            let said = match said {
                Some(Json::Number(count)) => count.as_u64(),
                _ => None,
            };
            said.unwrap_or_default().max(found as u64)
        };
        Self {
            evaluated: counted(evaluated, listed),
            failed: counted(unsuccessful, failed),
        }
    }
}

/// What was validated, and when. Returns which run it was, as far as it says.
fn about<'j>(
    draft: &mut Draft<'j>,
    suite: &str,
    mut meta: ObjectReader<'j>,
    statistics: Statistics<'j>,
) -> Option<String> {
    let mut batch = object(meta.take("active_batch_definition"));
    let [datasource, asset] =
        ["datasource_name", "data_asset_name"].map(|name| text(batch.take(name)));
    let named = |text: &Option<Cow<'j, str>>| text.as_deref().unwrap_or_default().to_owned();
    // The identifiers of a batch are left out: those of the next run are others.
    let key = format!("gx:{suite}:{}:{}", named(&datasource), named(&asset));
    let mut run = object(meta.take("run_id"));
    let run_name = text(run.take("run_name"));
    let time = text(meta.take("validation_time")).or_else(|| text(run.take("run_time")));
    let which = time
        .as_ref()
        .map(|time| format!("{key} {} {time}", run_name.as_deref().unwrap_or_default()));
    draft.text("dedup_key", key);
    draft.maybe_text("occurred_at", time);
    let mut fields = Vec::new();
    for (name, value) in [("Data source", datasource), ("Asset", asset)] {
        fields.extend(value.map(|value| field(name, Json::Text(value))));
    }
    for ((_, shown), value) in STATISTICS.into_iter().zip(statistics) {
        fields.extend(value.map(|value| field(shown, value)));
    }
    draft.set("fields", Json::List(fields));
    which
}

fn passed(draft: &mut Draft<'_>, suite: &str, counts: &Counts) {
    draft.status(AlertStatus::Resolved);
    draft.severity(Severity::Medium);
    let count = counts.evaluated;
    draft.text("title", format!("{suite}: {count} expectations passed"));
}

fn not_passed(draft: &mut Draft<'_>, suite: &str, failed: &[Failed], counts: &Counts) {
    draft.status(AlertStatus::Active);
    let worst = failed.iter().filter_map(|one| one.severity).max();
    draft.severity(worst.unwrap_or(Severity::High));
    let title = match counts {
        Counts { failed: 0, .. } => format!("{suite}: the validation failed"),
        Counts { evaluated, failed } => {
            format!("{suite}: {failed} of {evaluated} expectations failed")
        }
    };
    draft.text("title", title);
    let lines: Vec<&str> = failed.iter().map(|one| one.line.as_str()).collect();
    let lines = (!lines.is_empty()).then(|| Cow::Owned(lines.join("\n")));
    draft.maybe_text("description", lines);
}

/// The expectation of a result, unless it was met.
fn failed(result: Json<'_>) -> Option<Failed> {
    let mut result = object(Some(result));
    if result.take("success") == Some(Json::Bool(true)) {
        return None;
    }
    let mut config = object(result.take("expectation_config"));
    let name = first(&mut config, &["type", "expectation_type"]);
    let name = name.unwrap_or(Cow::Borrowed("An expectation"));
    let mut arguments = object(config.take("kwargs"));
    let column = text(arguments.take("column"));
    let mut line = format!("• {name}");
    if let Some(column) = column {
        line = format!("{line} ({column})");
    }
    if let Some(seen) =
        seen(object(result.take("result"))).or_else(|| raised(result.take("exception_info")))
    {
        line = format!("{line}: {seen}");
    }
    // Version 0.18 knows no severity, but people keep one in the meta.
    let mut meta = object(config.take("meta"));
    let word = text(config.take("severity")).or_else(|| text(meta.take("severity")));
    Some(Failed {
        severity: word.as_deref().and_then(severity_of),
        line,
    })
}

/// What was observed instead.
fn seen(mut result: ObjectReader<'_>) -> Option<String> {
    if let Some(value) = result.take("observed_value") {
        return scalar_text(&value).map(|value| format!("observed {value}"));
    }
    let [unexpected, all] = ["unexpected_count", "element_count"].map(|name| result.take(name));
    let [unexpected, all] = [scalar_text(&unexpected?)?, scalar_text(&all?)?];
    let examples = items(result.take("partial_unexpected_list"));
    let mut examples: Vec<String> = examples.iter().filter_map(scalar_text).collect();
    examples.dedup();
    examples.truncate(UNEXPECTED_MAX);
    let examples = if examples.is_empty() {
        String::new()
    } else {
        format!(", such as {}", examples.join(", "))
    };
    Some(format!("{unexpected} of {all} values{examples}"))
}

/// The message of an exception, which stands in the object, or by the name of a metric in it.
fn raised(info: Option<Json<'_>>) -> Option<String> {
    let mut info = object(info);
    let own = text(info.take("exception_message"));
    let of_metric = |(_, metric)| text(object(Some(metric)).take("exception_message"));
    let message = own.or_else(|| info.into_rest().into_iter().find_map(of_metric))?;
    message.lines().next().map(str::to_owned)
}
