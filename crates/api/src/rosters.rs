//! A cache of rosters, within a bound on the memory that they take.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use alert_connectors_model::{AlertTypeFilter, Connector, Slug};
use alert_connectors_store::Roster;

/// What all cached rosters may weigh together, in bytes; some 30,000 usual connectors.
const WEIGHT_MAX: usize = 24 * 1_024 * 1_024;
/// What a roster and a connector weigh beside their texts.
const ROSTER_BYTES: usize = 512;
const CONNECTOR_BYTES: usize = 640;
/// What each alert type of a filter weighs beside its letters.
const TYPE_BYTES: usize = 32;

#[derive(Default)]
pub(crate) struct Rosters(RwLock<AtHand>);

#[derive(Default)]
struct AtHand {
    rosters: HashMap<Slug, Arc<Roster>>,
    weight: usize,
}

impl Rosters {
    pub(crate) fn get(&self, slug: &Slug) -> Option<Arc<Roster>> {
        let at_hand = self.0.read().unwrap_or_else(PoisonError::into_inner);
        at_hand.rosters.get(slug).map(Arc::clone)
    }

    /// Caches the roster of a space, or forgets a space that is gone. If the cache is full, all others are forgotten:
    /// they are read again when they are needed.
    pub(crate) fn put(&self, slug: &Slug, found: Option<&Arc<Roster>>) {
        let mut at_hand = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = at_hand.rosters.remove(slug) {
            at_hand.weight -= weight(&before);
        }
        let Some(roster) = found else { return };
        let more = weight(roster);
        if at_hand.weight + more > WEIGHT_MAX {
            *at_hand = AtHand::default();
        }
        at_hand.weight += more;
        at_hand.rosters.insert(slug.clone(), Arc::clone(roster));
    }
}

fn weight(roster: &Roster) -> usize {
    let connectors = roster.connectors.iter();
    let mappings = roster.sources.iter().filter_map(|one| one.mapping.as_ref());
    let mappings = mappings.map(String::len).sum::<usize>();
    ROSTER_BYTES + mappings + connectors.map(|one| weight_of(one)).sum::<usize>()
}

fn weight_of(connector: &Connector) -> usize {
    let types = match &connector.alert_type_filter {
        AlertTypeFilter::All => 0,
        AlertTypeFilter::Only(types) => {
            let types = types.iter();
            types.map(|one| TYPE_BYTES + one.as_str().len()).sum()
        }
    };
    // The URL is kept whole and in parts.
    let url = 2 * connector.webhook_url.expose_target().len();
    CONNECTOR_BYTES + connector.name.len() + url + types
}
