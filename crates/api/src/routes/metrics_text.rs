//! Metrics as text: in the format that Prometheus has always read, or in OpenMetrics for those who ask for it.

use http::{HeaderMap, HeaderValue, header};

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricsFormat {
    /// Prometheus' own (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl MetricsFormat {
    /// What a request asks for: the classic format, unless it accepts the other.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let mut accepted = accepted.filter_map(|value| value.to_str().ok());
        if accepted.any(|accepted| accepted.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    pub(super) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }

    /// One text of several in OpenMetrics, each of which ends with an `# EOF` line.
    pub(super) fn whole(self, texts: &[String]) -> String {
        let lines = texts.iter().flat_map(|text| text.lines());
        let lines = lines.filter(|line| *line != "# EOF");
        match self {
            Self::OpenMetrics => lines.map(with_end).collect::<String>() + "# EOF\n",
            Self::Classic => classic(&lines.collect::<Vec<_>>()),
        }
    }
}

fn with_end(line: &str) -> String {
    format!("{line}\n")
}

/// In the classic format the name of a counter ends with `_total` in its description too, and there are no units.
fn classic(lines: &[&str]) -> String {
    let is_counter = |name: &str| {
        let kind = format!("# TYPE {name} counter");
        lines.contains(&kind.as_str())
    };
    let mut text = String::new();
    for line in lines {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT"), ..) => {}
            (Some("#"), Some(what), Some(name), Some(rest)) if is_counter(name) => {
                text.push_str(&format!("# {what} {name}_total {rest}\n"));
            }
            _ => text.push_str(&with_end(line)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: &str = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{c=\"d\"} 1\n# EOF\n";
    const GAUGE: &str =
        "# HELP e_bytes Size.\n# TYPE e_bytes gauge\n# UNIT e_bytes bytes\ne_bytes 2\n# EOF\n";

    #[test]
    fn a_scraper_gets_what_it_asks_for() {
        let texts = [COUNTER.to_owned(), GAUGE.to_owned()];
        assert_eq!(
            MetricsFormat::Classic.whole(&texts),
            "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{c=\"d\"} 1\n\
             # HELP e_bytes Size.\n# TYPE e_bytes gauge\ne_bytes 2\n"
        );
        let open = COUNTER.replace("# EOF\n", "") + GAUGE;
        assert_eq!(MetricsFormat::OpenMetrics.whole(&texts), open);
        let accepts = |value| {
            let value = HeaderValue::from_static(value);
            MetricsFormat::of(&HeaderMap::from_iter([(header::ACCEPT, value)]))
        };
        assert_eq!(accepts("*/*"), MetricsFormat::Classic);
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        assert_eq!(accepts(prometheus), MetricsFormat::OpenMetrics);
        assert_eq!(MetricsFormat::of(&HeaderMap::new()), MetricsFormat::Classic);
    }
}
