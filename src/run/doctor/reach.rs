//! Whether somebody answers at an address: a connection is made and closed, and nothing is sent.

use reqwest::Url;
use tokio::{net::TcpStream, time::timeout};

use super::{WITHIN, said::Told};

/// A host and a port, without who logs in there.
pub struct Place {
    host: String,
    port: u16,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Place {
    /// Where an address leads; `usual` is the port of its scheme.
    pub fn of(url: &str, usual: u16) -> Option<Self> {
        let url: Url = url.trim().parse().ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self { host, port: url.port_or_known_default().unwrap_or(usual) })
    }

    /// Connects; else why not.
    pub async fn reach(&self) -> Result<(), String> {
        match timeout(WITHIN, TcpStream::connect((self.host.as_str(), self.port))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
        }
    }
}

/// Looks whether somebody answers there.
pub async fn look(check: &'static str, setting: &str, url: &str, usual: u16, told: &mut Told) {
    let Some(place) = Place::of(url, usual) else {
        return told.fail(
            check,
            format_args!("{setting} is not an address"),
            format_args!("correct {setting}"),
        );
    };
    match place.reach().await {
        Ok(()) => told.ok(check, format_args!("{place} answers")),
        Err(error) => {
            let todo = format_args!("start it, open the way to it, or correct {setting}");
            told.fail(check, format_args!("{place} cannot be reached: {error}"), todo);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port_and_never_a_password() {
        let place = |url, usual| Place::of(url, usual).map(|place| place.to_string());
        assert_eq!(place("nats://hunter2@db:4223", 4_222).unwrap(), "db:4223");
        assert_eq!(place("smtp://me:hunter2@mail.example", 25).unwrap(), "mail.example:25");
        assert_eq!(place("https://sms.example/send?key=hunter2", 0).unwrap(), "sms.example:443");
        assert_eq!(place("postgres://[::1]/shop", 5_432).unwrap(), "::1:5432");
        assert!(place("not an address", 1).is_none());
    }
}
