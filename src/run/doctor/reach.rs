//! Whether somebody answers at an address: a connection is made and closed, and nothing is sent.

use reqwest::Url;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{WITHIN, said::Told};

/// Where something listens, without who logs in there.
pub enum Place {
    /// A host and a port.
    Host(String, u16),
    /// A Unix socket of Postgres.
    Socket(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => f.write_str(path),
        }
    }
}

impl Place {
    /// Where an address leads; `usual` is the port of its scheme.
    pub fn of(url: &str, usual: u16) -> Option<Self> {
        let url: Url = url.trim().parse().ok()?;
        let port = url.port_or_known_default().unwrap_or(usual);
        let socket = url.query_pairs().find(|(name, value)| name == "host" && value.starts_with('/'));
        if let Some((_, dir)) = socket.filter(|_| url.scheme().starts_with("postgres")) {
            return Some(Self::Socket(format!("{dir}/.s.PGSQL.{port}")));
        }
        Some(Self::Host(url.host_str()?.trim_matches(['[', ']']).to_owned(), port))
    }

    /// Connects; else why not.
    pub async fn reach(&self) -> Result<(), String> {
        let connected = timeout(WITHIN, async {
            match self {
                Self::Host(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(drop),
                Self::Socket(path) => UnixStream::connect(path).await.map(drop),
            }
        });
        match connected.await {
            Ok(Ok(())) => Ok(()),
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
        let socket = place("postgres://me:hunter2@db/shop?host=/run/a%20b", 5_432);
        assert_eq!(socket.unwrap(), "/run/a b/.s.PGSQL.5432");
        assert!(place("not an address", 1).is_none());
    }
}
