//! What is set about connections and requests.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use api::ingress::{IngressSettings, Network, Rate};
use axum::http::{HeaderValue, Uri};

use super::SettingsError;

const RATE_MAX: u32 = 100_000;
/// Longer than any balancer takes to look again.
const NOTICE_MAX_S: u32 = 300;

/// What the process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Trying things out.
    Development,
    /// A shop.
    Production,
}

/// How clients reach the process.
#[derive(Clone, Debug)]
pub struct Ingress {
    /// The files of the certificate and its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether a proxy speaks TLS for this process.
    pub behind_proxy: bool,
    /// What the process is for, if it was said.
    pub mode: Option<Mode>,
    /// How long it is told that the process is about to end.
    pub drain_notice: Duration,
    proxies: Vec<Network>,
    origins: Vec<HeaderValue>,
    per_address: Option<Rate>,
    per_principal: Option<Rate>,
}

impl Ingress {
    pub(super) fn read(
        get: &impl Fn(&str) -> Option<String>,
        number: &impl Fn(&'static str, &'static str, u32, u32) -> Result<Option<u32>, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let usual = IngressSettings::default();
        let rate = |name, usual| match number(name, "requests a second", 0, RATE_MAX)? {
            None => Ok(usual),
            Some(0) => Ok(None),
            Some(requests) => Rate::per_second(requests).map(Some).map_err(|error| wrong(name, &error)),
        };
        let tls = match (get("DAYBOOK_TLS_CERT"), get("DAYBOOK_TLS_KEY")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            (Some(_), None) => {
                return Err(wrong("DAYBOOK_TLS_CERT", &"name the key as well, in DAYBOOK_TLS_KEY"));
            }
            (None, Some(_)) => {
                return Err(wrong("DAYBOOK_TLS_KEY", &"name the certificate as well, in DAYBOOK_TLS_CERT"));
            }
        };
        let behind_proxy = match get("DAYBOOK_TLS").as_deref() {
            None => false,
            Some("proxy") => true,
            Some(other) => return Err(wrong("DAYBOOK_TLS", &format!("{other:?} is not proxy"))),
        };
        let mode = match get("DAYBOOK_MODE").as_deref() {
            None => None,
            Some("production") => Some(Mode::Production),
            Some("development") => Some(Mode::Development),
            Some(other) => {
                let reason = format!("{other:?} is neither production nor development");
                return Err(wrong("DAYBOOK_MODE", &reason));
            }
        };
        Ok(Self {
            tls,
            behind_proxy,
            mode,
            drain_notice: Duration::from_secs(
                number("DAYBOOK_DRAIN_NOTICE", "seconds", 0, NOTICE_MAX_S)?.unwrap_or(0).into(),
            ),
            proxies: list(get, "DAYBOOK_TRUSTED_PROXIES", |text| {
                Network::from_str(text).map_err(|error| error.to_string())
            })?
            .unwrap_or(usual.proxies),
            origins: list(get, "DAYBOOK_CORS_ORIGINS", origin)?.unwrap_or_default(),
            per_address: rate("DAYBOOK_RATE_PER_ADDRESS", usual.per_address)?,
            per_principal: rate("DAYBOOK_RATE_PER_PRINCIPAL", usual.per_principal)?,
        })
    }

    /// What the process is for, when it listens there.
    #[must_use]
    pub fn mode_at(&self, address: SocketAddr) -> Mode {
        let alone = address.ip().is_loopback();
        self.mode.unwrap_or(if alone { Mode::Development } else { Mode::Production })
    }

    /// As the API takes it.
    #[must_use]
    pub fn settings(&self) -> IngressSettings {
        IngressSettings {
            origins: self.origins.clone(),
            proxies: self.proxies.clone(),
            per_address: self.per_address,
            per_principal: self.per_principal,
            https: self.tls.is_some() || self.behind_proxy,
            ..IngressSettings::default()
        }
    }
}

fn wrong(name: &'static str, reason: &impl std::fmt::Display) -> SettingsError {
    SettingsError::Value { name, reason: reason.to_string() }
}

fn list<T>(
    get: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, SettingsError> {
    let Some(text) = get(name) else { return Ok(None) };
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let items: Result<Vec<T>, String> = items.map(read).collect();
    items.map(Some).map_err(|reason| wrong(name, &reason))
}

/// A scheme and a host, perhaps a port, and nothing else: what browsers send.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let uri: Option<Uri> = text.parse().ok();
    let is_origin = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.path() == "/"
            && uri.query().is_none()
            && !text.ends_with('/')
    });
    let value = HeaderValue::from_str(text).ok().filter(|_| is_origin);
    value.ok_or_else(|| format!("{text:?} is no origin such as https://shop.example"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Ingress, String> {
        let set: BTreeMap<String, String> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let get = |name: &str| set.get(name).cloned();
        let number = |name: &'static str, _, _, _| Ok(get(name).and_then(|text| text.parse().ok()));
        Ingress::read(&get, &number).map_err(|error| error.to_string())
    }

    #[test]
    fn who_can_be_reached_by_others_is_in_production_unless_it_was_said_otherwise() {
        let silent = read(&[]).unwrap();
        assert_eq!(silent.mode_at("127.0.0.1:80".parse().unwrap()), Mode::Development);
        assert_eq!(silent.mode_at("[::1]:80".parse().unwrap()), Mode::Development);
        assert_eq!(silent.mode_at("0.0.0.0:80".parse().unwrap()), Mode::Production);
        let said = read(&[("DAYBOOK_MODE", "development")]).unwrap();
        assert_eq!(said.mode_at("0.0.0.0:80".parse().unwrap()), Mode::Development);
        let said = read(&[("DAYBOOK_MODE", "production")]).unwrap();
        assert_eq!(said.mode_at("127.0.0.1:80".parse().unwrap()), Mode::Production);
    }

    #[test]
    fn what_makes_no_sense_is_told_by_the_name_of_its_setting() {
        let table = [
            [("DAYBOOK_MODE", "prod")],
            [("DAYBOOK_TLS", "yes")],
            [("DAYBOOK_TLS_CERT", "a.pem")],
            [("DAYBOOK_TLS_KEY", "a.pem")],
            [("DAYBOOK_TRUSTED_PROXIES", "10.0.0.0/8, everybody")],
            [("DAYBOOK_CORS_ORIGINS", "*")],
            [("DAYBOOK_CORS_ORIGINS", "https://shop.example/")],
            [("DAYBOOK_CORS_ORIGINS", "shop.example")],
        ];
        for set in table {
            let error = read(&set).expect_err(set[0].1);
            assert!(error.starts_with(set[0].0), "{error}");
        }
    }

    #[test]
    fn what_is_set_reaches_the_edge() {
        let set = [
            ("DAYBOOK_CORS_ORIGINS", "https://shop.example, http://localhost:3000"),
            ("DAYBOOK_RATE_PER_ADDRESS", "0"),
            ("DAYBOOK_RATE_PER_PRINCIPAL", "7"),
            ("DAYBOOK_TLS", "proxy"),
        ];
        let ingress = read(&set).unwrap().settings();
        assert_eq!(ingress.origins, ["https://shop.example", "http://localhost:3000"]);
        assert_eq!((ingress.per_address, ingress.per_principal), (None, Rate::per_second(7).ok()));
        assert!(ingress.https);
    }
}
