//! Where webhooks may go: on the open internet, and nowhere near the shop's own machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// What is allowed beside `https` to public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `http`, loopback and private addresses: where receivers run on the shop's own network.
    pub private: bool,
}

/// An address that a webhook may be sent to, as far as its text tells; its name is looked up when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Url);

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// It is not a URL.
    #[error("a URL such as https://shop.example/webhooks")]
    Malformed,
    /// It is longer than anybody needs.
    #[error("a URL of at most {URL_MAX} characters")]
    TooLong,
    /// It is sent in the clear.
    #[error("a URL that begins with https://")]
    Scheme,
    /// It holds a password, which would stand in every list.
    #[error("a URL without name and password: whoever gets it checks the signature")]
    Credentials,
    /// It is of a network of somebody's own.
    #[error("an address on the public internet")]
    Private,
}

/// Characters of a URL.
const URL_MAX: usize = 2_000;

impl Target {
    /// Checks a URL.
    ///
    /// # Errors
    /// As [`NotAllowed`] says.
    pub fn new(text: &str, allowed: Allowed) -> Result<Self, NotAllowed> {
        if text.len() > URL_MAX {
            return Err(NotAllowed::TooLong);
        }
        let url: Url = text.parse().map_err(|_| NotAllowed::Malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if allowed.private => {}
            _ => return Err(NotAllowed::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAllowed::Credentials);
        }
        let host = url.host_str().ok_or(NotAllowed::Malformed)?;
        // Brackets belong to the URL, not to the address.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let private = match literal {
            Some(address) => !is_public(address),
            None => {
                let name = host.trim_end_matches('.').to_ascii_lowercase();
                name == "localhost"
                    || name.ends_with(".localhost")
                    || name.ends_with(".local")
                    || !name.contains('.')
            }
        };
        if private && !allowed.private { Err(NotAllowed::Private) } else { Ok(Self(url)) }
    }

    /// The URL.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

/// Looks names up, and knows only public addresses. Whatever the name meant when the endpoint was registered, this is what
/// it means when the connection is made.
#[derive(Clone, Copy, Debug)]
pub struct PublicNames(pub Allowed);

/// A name that leads nowhere it may lead to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no public address")]
struct LeadsNowhere;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                found.filter(|address| allowed.private || is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(LeadsNowhere.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the open internet, by the registries of special addresses (RFC 6890 and its successors).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    // Only 2000::/3 is given out; in it stand ways back into IPv4 (2001::/32, 2002::/16) and what is for books and tests.
    match address.segments() {
        [0x2001, second, ..] if second < 0x200 => false,
        [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Allowed = Allowed { private: false };

    #[test]
    fn a_webhook_goes_to_https_on_the_open_internet_and_nowhere_else() {
        for fine in [
            "https://shop.example/hook",
            "https://shop.example:8443/hook?a=b",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(Target::new(fine, STRICT).is_ok(), "{fine}");
        }
        for (refused, why) in [
            ("shop.example/hook", NotAllowed::Malformed),
            ("ftp://shop.example/", NotAllowed::Scheme),
            ("http://shop.example/hook", NotAllowed::Scheme),
            ("https://me:secret@shop.example/", NotAllowed::Credentials),
            ("https://me@shop.example/", NotAllowed::Credentials),
            ("https://localhost/", NotAllowed::Private),
            ("https://LOCALHOST./", NotAllowed::Private),
            ("https://printer.local/", NotAllowed::Private),
            ("https://intranet/", NotAllowed::Private),
            ("https://127.0.0.1/", NotAllowed::Private),
            // Other ways to write 127.0.0.1, and the cloud's own address.
            ("https://2130706433/", NotAllowed::Private),
            ("https://0x7f.1/", NotAllowed::Private),
            ("https://169.254.169.254/latest", NotAllowed::Private),
            ("https://10.1.2.3/", NotAllowed::Private),
            ("https://172.31.0.1/", NotAllowed::Private),
            ("https://192.168.1.1/", NotAllowed::Private),
            ("https://100.64.0.1/", NotAllowed::Private),
            ("https://0.0.0.0/", NotAllowed::Private),
            ("https://[::1]/", NotAllowed::Private),
            ("https://[::]/", NotAllowed::Private),
            ("https://[::ffff:127.0.0.1]/", NotAllowed::Private),
            ("https://[fe80::1]/", NotAllowed::Private),
            ("https://[fd00::1]/", NotAllowed::Private),
            ("https://[64:ff9b::7f00:1]/", NotAllowed::Private),
            ("https://[2002:7f00:1::]/", NotAllowed::Private),
        ] {
            assert_eq!(Target::new(refused, STRICT).err(), Some(why), "{refused}");
        }
        let long = format!("https://shop.example/{}", "a".repeat(URL_MAX));
        assert_eq!(Target::new(&long, STRICT).err(), Some(NotAllowed::TooLong));
    }

    #[test]
    fn a_shop_may_allow_its_own_network_but_no_other_schemes() {
        let allowed = Allowed { private: true };
        assert!(Target::new("http://127.0.0.1:9000/hook", allowed).is_ok());
        assert_eq!(Target::new("file:///etc/passwd", allowed).err(), Some(NotAllowed::Scheme));
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let name = || "localhost".parse().unwrap();
        assert!(PublicNames(STRICT).resolve(name()).await.is_err());
        assert!(PublicNames(Allowed { private: true }).resolve(name()).await.is_ok());
    }
}
