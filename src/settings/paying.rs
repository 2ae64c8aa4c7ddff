//! Who payments are carried to.

use api::{
    outbound::stripe::{self, Key, NotAKey, breaker},
    webhooks::{NoSecrets, Secrets},
};

/// The gateway of a shop.
#[derive(Clone, Debug, Default)]
pub enum Paying {
    /// The one that does what the token says, for trying things out.
    #[default]
    Simulator,
    /// Stripe.
    Stripe {
        /// How it is called.
        options: stripe::Options,
        /// What its webhooks are signed with.
        secrets: Secrets,
    },
}

/// A gateway that cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
pub enum PayingError {
    /// No such gateway.
    #[error("DAYBOOK_GATEWAY: {0:?} is neither simulator nor stripe")]
    Unknown(String),
    /// Something that it takes is not set.
    #[error("{0} is not set, and DAYBOOK_GATEWAY=stripe needs it")]
    Missing(&'static str),
    /// A setting of Stripe's although the gateway is another one: whoever set it believes to be paid.
    #[error("{0} is set, but not DAYBOOK_GATEWAY=stripe")]
    Unused(&'static str),
    /// The key is none.
    #[error("DAYBOOK_STRIPE_KEY: {0}")]
    Key(#[from] NotAKey),
    /// The secrets are none.
    #[error("DAYBOOK_STRIPE_WEBHOOK_SECRET: {0}")]
    Secrets(#[from] NoSecrets),
    /// The key would travel in the clear, or nowhere.
    #[error("DAYBOOK_STRIPE_URL: an address that begins with https://, or with http:// on this machine")]
    Url,
}

const KEY: &str = "DAYBOOK_STRIPE_KEY";
const SECRETS: &str = "DAYBOOK_STRIPE_WEBHOOK_SECRET";
const URL: &str = "DAYBOOK_STRIPE_URL";

impl Paying {
    /// Reads what is set.
    pub(super) fn of(get: impl Fn(&str) -> Option<String>) -> Result<Self, PayingError> {
        match get("DAYBOOK_GATEWAY").as_deref().map(str::trim) {
            None | Some("simulator") => {
                match [KEY, SECRETS, URL].into_iter().find(|name| get(name).is_some()) {
                    Some(name) => Err(PayingError::Unused(name)),
                    None => Ok(Self::Simulator),
                }
            }
            Some("stripe") => {
                let wanted = |name: &'static str| get(name).ok_or(PayingError::Missing(name));
                let key: Key = wanted(KEY)?.parse()?;
                let secrets: Secrets = wanted(SECRETS)?.parse()?;
                let url = get(URL).map_or_else(|| stripe::URL.to_owned(), |url| url.trim().to_owned());
                if !is_private(&url) {
                    return Err(PayingError::Url);
                }
                Ok(Self::Stripe {
                    options: stripe::Options { key, url, breaker: breaker::Limits::default() },
                    secrets,
                })
            }
            Some(other) => Err(PayingError::Unknown(other.to_owned())),
        }
    }
}

/// Whether nobody on the way reads what is sent there.
fn is_private(url: &str) -> bool {
    let local = |rest: &str| {
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
            rest.strip_prefix(host).is_some_and(|after| after.is_empty() || after.starts_with([':', '/']))
        })
    };
    let host = |rest: &str| !rest.is_empty() && !rest.contains('@');
    url.strip_prefix("https://").is_some_and(host)
        || url.strip_prefix("http://").is_some_and(|rest| host(rest) && local(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Paying, PayingError> {
        Paying::of(|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()))
    }

    const STRIPE: [(&str, &str); 3] =
        [("DAYBOOK_GATEWAY", "stripe"), (KEY, "sk_test_0123456789"), (SECRETS, "whsec_0123456789abcdef")];

    #[test]
    fn the_simulator_is_the_gateway_unless_something_is_said() {
        assert!(matches!(of(&[]), Ok(Paying::Simulator)));
        assert!(matches!(of(&[("DAYBOOK_GATEWAY", "simulator")]), Ok(Paying::Simulator)));
        assert!(matches!(of(&[("DAYBOOK_GATEWAY", "paypal")]), Err(PayingError::Unknown(_))));
        assert!(matches!(of(&STRIPE[1..]), Err(PayingError::Unused(KEY))));
    }

    #[test]
    fn stripe_needs_its_key_and_its_secret_and_shows_neither() {
        let shown = format!("{:?}", of(&STRIPE).unwrap());
        assert!(!shown.contains("0123456789"), "{shown}");
        assert!(matches!(of(&STRIPE[..2]), Err(PayingError::Missing(SECRETS))));
        assert!(matches!(of(&STRIPE[..1]), Err(PayingError::Missing(KEY))));
        let browsers = [STRIPE[0], (KEY, "pk_test_0123456789"), STRIPE[2]];
        let told = of(&browsers).unwrap_err().to_string();
        assert!(!told.contains("0123456789"), "{told}");
    }

    #[test]
    fn the_key_travels_to_nobody_in_the_clear() {
        let to = |url: &'static str| of(&[STRIPE[0], STRIPE[1], STRIPE[2], (URL, url)]);
        for url in ["https://stripe.example", "http://127.0.0.1:12111", "http://localhost", "http://[::1]:1/"]
        {
            assert!(to(url).is_ok(), "{url}");
        }
        for url in [
            "http://stripe.example",
            "http://localhost.example",
            "http://127.0.0.1:1@evil.example",
            "ftp://h",
            "https://",
        ] {
            assert!(matches!(to(url), Err(PayingError::Url)), "{url}");
        }
    }
}
