//! What a process in production must not be: open to be read on the way, or locked with a key that anybody knows.

use std::net::SocketAddr;

use crate::settings::{Mode, Settings};

/// Passwords that are in everybody's list.
const KNOWN: [&str; 8] =
    ["postgres", "password", "admin", "daybook", "secret", "changeme", "example", "123456"];

/// Everything that stands against serving there, in words that say what to do; nothing in development.
pub fn objections(settings: &Settings, address: SocketAddr) -> Vec<String> {
    if settings.ingress.mode_at(address) == Mode::Development {
        return Vec::new();
    }
    let mut objections = Vec::new();
    if settings.ingress.tls.is_none() && !settings.ingress.behind_proxy {
        objections.push(
            "clients would speak to it in clear text: name a certificate in DAYBOOK_TLS_CERT and DAYBOOK_TLS_KEY, or set DAYBOOK_TLS=proxy when a proxy speaks TLS for it"
                .to_owned(),
        );
    }
    if !settings.paying_named {
        objections.push(
            "payments would go to the simulator, which takes no money: set DAYBOOK_GATEWAY=stripe, or DAYBOOK_GATEWAY=simulator when that is meant"
                .to_owned(),
        );
    }
    if settings.master_key.as_ref().is_some_and(store::secrets::MasterKey::is_guessable) {
        objections
            .push("DAYBOOK_MASTER_KEY can be guessed: make one with `openssl rand -base64 32`".to_owned());
    }
    let urls = [
        ("DATABASE_URL", settings.database_url.as_deref()),
        ("DAYBOOK_PROJECTION_DATABASE_URL", settings.projection_database_url.as_deref()),
        ("DAYBOOK_READ_DATABASE_URL", settings.read_database_url.as_deref()),
        ("NATS_URL", settings.nats_url.as_deref()),
    ];
    for (name, url) in urls {
        if url.and_then(password).is_some_and(|password| KNOWN.contains(&password)) {
            objections.push(format!("the password in {name} is one that everybody tries first"));
        }
    }
    objections
}

/// What stands between the name and the host.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, _) = authority.rsplit_once('@')?;
    login.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_where_urls_have_it() {
        assert_eq!(password("postgres://shop:postgres@db:5432/shop?sslmode=require"), Some("postgres"));
        assert_eq!(password("postgres://shop@db/shop"), None);
        assert_eq!(password("nats://db:4222"), None);
        assert_eq!(password("nats://a:b@c"), Some("b"));
    }
}
