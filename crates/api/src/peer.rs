//! Where a request comes from, as far as that can be trusted.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The address at the other end of the connection. The server puts it into the extensions of each request. Without it, failed
/// sign-ins are counted by e-mail alone.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Proxies whose `X-Forwarded-For` is trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    /// The address of the client: the last one in `X-Forwarded-For` that no trusted proxy has, if the peer is one.
    pub fn client(&self, peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
        let Peer(mut client) = peer?;
        let values: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let mut hops = values
            .iter()
            .rev()
            .flat_map(|value| value.rsplit(','))
            .map(str::trim);
        while self.trusts(client) {
            let Some(before) = hops.next().and_then(address) else {
                break;
            };
            client = before;
        }
        Some(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|network| network.contains(&address.to_canonical()))
    }
}

/// The address of a hop, which some proxies write with its port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let parsed = bare.unwrap_or(hop).parse().ok();
    parsed.or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies() {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            "6.6.6.6, 1.2.3.4, 10.0.0.2".parse().unwrap(),
        );
        let client = |peer: &str| {
            proxies
                .client(Some(Peer(peer.parse().unwrap())), &headers)
                .unwrap()
                .to_string()
        };
        assert_eq!(client("10.0.0.1"), "1.2.3.4");
        assert_eq!(client("9.9.9.9"), "9.9.9.9");
    }

    #[test]
    fn a_hop_may_have_a_port() {
        for (hop, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
        ] {
            assert_eq!(address(hop), expected.parse().ok(), "{hop}");
        }
        for hop in ["", "unknown", "_hidden", "192.0.2.1:", "[192.0.2.1"] {
            assert_eq!(address(hop), None, "{hop}");
        }
    }
}
