//! Reads settings from the layers, and notes their faults.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Faults, Layers};

/// A setting that was given and has no fault.
pub(super) fn maybe<T>(
    layers: &Layers,
    name: &'static str,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let (text, origin) = layers.one(name)?;
    parse(text)
        .map_err(|what| faults.add(origin, name, what))
        .ok()
}

/// All values of a setting that have no fault.
pub(super) fn many<T>(
    layers: &Layers,
    name: &'static str,
    faults: &mut Faults,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let (texts, origin) = layers.all(name);
    texts
        .iter()
        .filter_map(|text| {
            parse(text)
                .map_err(|what| faults.add(origin, name, what))
                .ok()
        })
        .collect()
}

/// A network, or the one address in it.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = text.parse::<IpNet>().ok().or_else(address);
    network.ok_or_else(|| format!("{text:?} is no network; write it as 10.0.0.0/8 or fd00::/8"))
}
