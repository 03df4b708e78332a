//! The words by which producers name severities.

use alert_connectors_model::Severity;

/// The severity that a word of any producer means, in any case; nothing if it is none of them.
pub(crate) fn severity_of(word: &str) -> Option<Severity> {
    let severity = match word.trim().to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "emergency" | "page" | "p1" | "sev0" | "sev1" | "disaster" => {
            Severity::Critical
        }
        "high" | "error" | "major" | "p2" | "sev2" => Severity::High,
        "medium" | "warning" | "warn" | "minor" | "moderate" | "p3" | "sev3" => Severity::Medium,
        "low" | "info" | "informational" | "notice" | "debug" | "none" | "p4" | "p5" | "sev4" => {
            Severity::Low
        }
        _ => return None,
    };
    Some(severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_others_are_none() {
        for (word, severity) in [
            ("PAGE", Some(Severity::Critical)),
            ("Error", Some(Severity::High)),
            (" warn ", Some(Severity::Medium)),
            ("none", Some(Severity::Low)),
            ("", None),
            ("urgent", None),
        ] {
            assert_eq!(severity_of(word), severity, "{word:?}");
        }
    }
}
