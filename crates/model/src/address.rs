//! Which addresses a webhook may lead to: the public ones, and those that the operator allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Decides whether an address may be connected to.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
}

impl AddressPolicy {
    /// Public addresses, and those in the given networks.
    pub fn allowing(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether a webhook may lead to this address.
    pub fn permits(&self, address: IpAddr) -> bool {
        let meant = unwrapped(address);
        let named = |address: IpAddr| {
            self.allowed
                .iter()
                .any(|network| network.contains(&address))
        };
        is_public(meant) || named(meant) || named(address)
    }
}

/// Whether an address is globally reachable: neither special (IANA special-purpose registries) nor multicast nor reserved.
/// IPv4 inside `::ffff:0:0/96` and `64:ff9b::/96` is checked as the IPv4 address that is meant.
pub fn is_public(address: IpAddr) -> bool {
    let reachable = |networks: &[IpNet]| {
        networks
            .iter()
            .any(|network| network.contains(&unwrapped(address)))
    };
    if reachable(&GLOBAL_INSIDE) {
        return true;
    }
    match unwrapped(address) {
        IpAddr::V4(v4) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&v4)),
        IpAddr::V6(v6) => {
            GLOBAL_UNICAST_V6.contains(&v6)
                && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&v6))
        }
    }
}

/// The IPv4 address inside a mapped (RFC 4291) or translated (RFC 6052) one.
fn unwrapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if MAPPED_V6.contains(&v6) || NAT64_V6.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const MAPPED_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xFFFF, 0, 0), 96);
const NAT64_V6: Ipv6Net = v6(0x64, 0xFF9B, 0, 96);
const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// IANA IPv4 Special-Purpose Address Registry, rows not marked globally reachable, besides multicast and reserved space.
const NOT_PUBLIC_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
    v4(255, 255, 255, 255, 32),
];

/// IANA IPv6 Special-Purpose Address Registry, rows inside `2000::/3` that are not globally reachable;
/// 6to4 (`2002::/16`) and Teredo (in `2001::/23`) are refused whole, since they carry any IPv4 address.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xDB8, 0, 32),
    v6(0x2002, 0, 0, 16),
    v6(0x3FFF, 0, 0, 20),
];

/// What the same registries mark as globally reachable inside the networks above: anycast services, identifiers and drones.
const GLOBAL_INSIDE: [IpNet; 9] = [
    IpNet::V4(v4(192, 0, 0, 9, 32)),
    IpNet::V4(v4(192, 0, 0, 10, 32)),
    IpNet::V6(anycast(1)),
    IpNet::V6(anycast(2)),
    IpNet::V6(anycast(3)),
    IpNet::V6(v6(0x2001, 3, 0, 32)),
    IpNet::V6(v6(0x2001, 4, 0x112, 48)),
    IpNet::V6(v6(0x2001, 0x20, 0, 28)),
    IpNet::V6(v6(0x2001, 0x30, 0, 28)),
];

/// `2001:1::N`
const fn anycast(last: u16) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, last), 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_globally_reachable_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "13.107.6.171",
            "2600:1f18::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "192.0.0.9",
            "2001:1::1",
            "2001:20::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_allowed_network_covers_its_mapped_form() {
        let policy = AddressPolicy::allowing(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(policy.permits("127.0.0.1".parse().unwrap()));
        assert!(policy.permits("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!policy.permits("10.0.0.1".parse().unwrap()));
        assert!(!policy.permits("::1".parse().unwrap()));
    }
}
