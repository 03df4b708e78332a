//! The links of a message beyond that of its title: which there are, and under which labels.

use alert_connectors_model::Alert;

use crate::{autolink, labels, text::one_line, truncate::Trim, words::label};

/// A link that a message should have.
pub(crate) struct WantedLink<'a> {
    /// Where it stands in the alert, as the list of what did not fit names it.
    pub(crate) place: String,
    pub(crate) label: &'a str,
    pub(crate) url: &'a str,
}

impl<'a> WantedLink<'a> {
    pub(crate) fn new(place: &str, label: &'a str, url: &'a str) -> Self {
        Self {
            place: place.to_owned(),
            label,
            url,
        }
    }
}

/// The actions of an alert, then where its product and its check are seen.
pub(crate) fn given(alert: &Alert) -> impl Iterator<Item = WantedLink<'_>> {
    let actions = alert.actions.iter().enumerate().map(|(index, action)| {
        let place = format!("actions.{index}");
        let (label, url) = (label(action), action.url.as_str());
        // A label that shows another address would hide where it leads.
        let is_honest = !autolink::shows_another(label, url);
        WantedLink::new(&place, if is_honest { label } else { "Link" }, url)
    });
    let parts = [
        ("product", "Product", &alert.product),
        ("check", "Check", &alert.check),
    ];
    let parts = parts.into_iter().filter_map(|(place, label, part)| {
        let url = part.as_ref()?.url.as_ref()?;
        Some(WantedLink::new(place, label, url.as_str()))
    });
    actions.chain(parts)
}

/// The labels of links, at most `max` units each and distinguishable; those of actions that were cut are noted.
pub(crate) fn labels(
    wanted: &[WantedLink<'_>],
    max: usize,
    trimmed: &mut Vec<Trim>,
) -> Vec<String> {
    let given: Vec<_> = wanted.iter().map(|link| one_line(link.label)).collect();
    let given: Vec<&str> = given.iter().map(AsRef::as_ref).collect();
    let shown = labels::distinct(&given, max);
    for ((link, given), shown) in wanted.iter().zip(given).zip(&shown) {
        labels::note(&format!("{}.label", link.place), given, shown, trimmed);
    }
    shown
}
