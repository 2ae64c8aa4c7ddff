//! Who is at the other end of a connection, and of the proxies before it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use axum::http::{Extensions, HeaderMap};

/// The header in which proxies name whom they speak for, nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Proxies in a row that are looked through.
const HOPS_MAX: usize = 16;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Addresses that begin alike: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// Not a network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl Network {
    /// This machine.
    pub const LOOPBACK: [Self; 2] = [
        Self { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
        Self { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
    ];

    /// Whether an address is one of these.
    #[must_use]
    pub fn has(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                (u32::from(mine) ^ u32::from(other)).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                (u128::from(mine) ^ u128::from(other)).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let address = address.to_canonical();
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(whole), str::parse).map_err(|_| wrong())?;
        if bits > whole { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

/// Whose requests are counted together: an IPv4 address, or the first 64 bits of an IPv6 one, which is what one party has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    V4(Ipv4Addr),
    V6(u64),
}

impl Party {
    /// What tells it from others, in bytes.
    pub(crate) fn octets(self) -> Vec<u8> {
        match self {
            Self::V4(address) => address.octets().to_vec(),
            Self::V6(network) => network.to_be_bytes().to_vec(),
        }
    }

    /// The nearest address that is no trusted proxy; `None` when a trusted one asks for itself, or nothing is known of the
    /// connection, as in tests.
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions, proxies: &[Network]) -> Option<Self> {
        let trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.has(address));
        let peer = extensions.get::<Peer>()?.0.ip();
        if !trusted(peer) {
            return Some(Self::from(peer));
        }
        let named = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
        let named = named.flat_map(|value| value.rsplit(',')).take(HOPS_MAX);
        // What cannot be read was not written by a proxy that is trusted, and neither was what stands before it.
        let mut named = named.map_while(|name| name.trim().parse::<IpAddr>().ok());
        named.find(|address| !trusted(*address)).map(Self::from)
    }
}

impl From<IpAddr> for Party {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(u64::try_from(u128::from(address) >> 64).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn party(peer: &str, forwarded: &[&str], proxies: &[&str]) -> Option<Party> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(Peer(SocketAddr::new(peer.parse().unwrap(), 4_000)));
        let proxies: Vec<Network> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        Party::of(&headers, &extensions, &proxies)
    }

    fn v4(text: &str) -> Option<Party> {
        Some(Party::V4(text.parse().unwrap()))
    }

    #[test]
    fn a_stranger_is_not_believed_about_others() {
        assert_eq!(party("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), v4("203.0.113.9"));
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_what_the_client_made_up_before_it_counts_for_nothing() {
        assert_eq!(party("10.1.2.3", &["6.6.6.6, 198.51.100.1"], &["10.0.0.0/8"]), v4("198.51.100.1"));
        assert_eq!(
            party("10.1.2.3", &["6.6.6.6", "198.51.100.1, 10.9.9.9"], &["10.0.0.0/8"]),
            v4("198.51.100.1")
        );
    }

    #[test]
    fn a_trusted_machine_that_speaks_for_itself_is_nobody() {
        assert_eq!(party("127.0.0.1", &[], &["127.0.0.0/8"]), None);
        assert_eq!(party("127.0.0.1", &["198.51.100.1, rubbish"], &["127.0.0.0/8"]), None);
    }

    #[test]
    fn the_addresses_of_one_v6_network_are_one_party() {
        let one = party("2001:db8:1:2::1", &[], &[]);
        assert_eq!(one, party("2001:db8:1:2:ffff::9", &[], &[]));
        assert_ne!(one, party("2001:db8:1:3::1", &[], &[]));
        assert_eq!(party("::ffff:203.0.113.9", &[], &[]), v4("203.0.113.9"));
    }

    #[test]
    fn networks_end_where_they_say() {
        let network: Network = "10.0.0.0/9".parse().unwrap();
        assert!(network.has("10.127.255.255".parse().unwrap()));
        assert!(!network.has("10.128.0.0".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().has("203.0.113.9".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().has("2001:db8::1".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/-1", "::1/129", "example.com", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
