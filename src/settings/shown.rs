//! A setting as it may be shown: nobody who reads over a shoulder learns a secret.

/// What stands where a secret is.
const MASK: &str = "***";

/// Settings whose whole value is a secret.
const SECRET: &[&str] = &[
    "DAYBOOK_MASTER_KEY",
    "DAYBOOK_MASTER_KEY_PREVIOUS",
    "DAYBOOK_STRIPE_KEY",
    "DAYBOOK_STRIPE_WEBHOOK_SECRET",
    "DAYBOOK_CARRIER_SECRETS",
    "DAYBOOK_SMS_TOKEN",
    "MEILI_MASTER_KEY",
    "OTEL_EXPORTER_OTLP_HEADERS",
];

/// Parameters of an address that hold no secret.
const OPEN: &[&str] = &["host", "sslmode", "sslrootcert", "application_name", "tls"];

/// Whether a setting is a secret as a whole.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

/// The value of a setting without what is secret in it.
#[must_use]
pub fn shown(name: &str, value: &str) -> String {
    if is_secret(name) {
        return MASK.to_owned();
    }
    if name.ends_with("_URL") || name.ends_with("_ENDPOINT") {
        let urls = if name == "NATS_URL" { listed(value) } else { vec![value] };
        return urls.into_iter().map(|url| address(url.trim())).collect::<Vec<_>>().join(",");
    }
    value.to_owned()
}

/// The addresses of a list: each begins after a comma and with a scheme, since a password may hold a comma too.
fn listed(value: &str) -> Vec<&str> {
    let begins = |text: &str| {
        let scheme = text.trim_start().split_once("://").map_or("", |(scheme, _)| scheme);
        !scheme.is_empty() && scheme.chars().all(|letter| letter.is_ascii_alphanumeric())
    };
    let mut urls = vec![];
    let mut from = 0;
    for (at, _) in value.match_indices(',').filter(|(at, _)| begins(&value[at + 1..])) {
        urls.push(&value[from..at]);
        from = at + 1;
    }
    urls.push(&value[from..]);
    urls
}

/// An address without its password, or its token, and without parameters that may be one.
fn address(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    // What stands before the last @ is who logs in; a password may hold a slash or a question mark by mistake.
    let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
    if login.is_some_and(is_unclear) {
        return format!("{scheme}://{MASK}");
    }
    let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(rest, _)| (rest, "#***"));
    let (host, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let login = login.map(|login| match login.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}@"),
        // A NATS token has no name before it; a name of Postgres alone is no secret.
        None if scheme.starts_with("postgres") => format!("{login}@"),
        None => format!("{MASK}@"),
    });
    let query = query.map(|query| {
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some((name, value)) if OPEN.contains(&name) => format!("{name}={value}"),
            Some((name, _)) => format!("{name}={MASK}"),
            None => MASK.to_owned(),
        });
        format!("?{}", parts.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{}{host}{}{fragment}", login.unwrap_or_default(), query.unwrap_or_default())
}

/// Whether it may not be who logs in, but a host with a parameter that holds an @: what follows that would be a secret.
fn is_unclear(login: &str) -> bool {
    let Some(at) = login.find(['?', '#']) else { return false };
    let (before, after) = login.split_at(at);
    !before.contains(':') || before.contains('/') || after.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::names;

    #[test]
    fn whatever_is_called_a_secret_is_one() {
        for (name, _) in names() {
            let words = ["KEY", "SECRET", "TOKEN", "PASSWORD", "HEADERS"];
            // The name of a file.
            let looks = name != "DAYBOOK_TLS_KEY" && words.iter().any(|word| name.contains(word));
            assert_eq!(is_secret(name), looks, "{name}");
        }
        for name in SECRET {
            assert!(names().any(|(known, _)| known == *name), "{name}");
        }
    }

    #[test]
    fn an_address_is_shown_without_what_opens_it() {
        for (name, value, expected) in [
            ("DATABASE_URL", "postgres://shop:hunter2@db:5432/shop", "postgres://shop:***@db:5432/shop"),
            (
                "DATABASE_URL",
                "postgres://shop@db/shop?host=/run/postgres&sslmode=require",
                "postgres://shop@db/shop?host=/run/postgres&sslmode=require",
            ),
            (
                "DATABASE_URL",
                "postgres://db/shop?user=a&password=hunter2",
                "postgres://db/shop?user=***&password=***",
            ),
            ("DATABASE_URL", "postgres://a:hun/ter2@db/shop", "postgres://a:***@db/shop"),
            ("DATABASE_URL", "postgres://a:hun@ter2@db/shop", "postgres://a:***@db/shop"),
            ("DATABASE_URL", "postgres://shop:hun,ter2@db/shop", "postgres://shop:***@db/shop"),
            ("DATABASE_URL", "postgres://shop:hun,b://ter2@db/shop", "postgres://shop:***@db/shop"),
            ("DATABASE_URL", "postgres://shop:hun?ter2@db/shop", "postgres://shop:***@db/shop"),
            ("DATABASE_URL", "postgres://shop:hun#ter2@db/shop", "postgres://shop:***@db/shop"),
            (
                "DATABASE_URL",
                "postgres://shop:h?n#t,r@2@db/shop?sslmode=require&password=hunter2#hunter2",
                "postgres://shop:***@db/shop?sslmode=require&password=***#***",
            ),
            (
                "DATABASE_URL",
                "postgres://a:hunter2@db,standby:5432/shop",
                "postgres://a:***@db,standby:5432/shop",
            ),
            ("DATABASE_URL", "postgres://db/shop?password=hun@ter2", "postgres://***"),
            ("DATABASE_URL", "postgres://a:hun?t=er@2@db/shop", "postgres://***"),
            ("DATABASE_URL", "host=db password=hunter2", "***"),
            ("NATS_URL", "nats://me:hun,ter2@a:4222, tls://b:4222", "nats://me:***@a:4222,tls://b:4222"),
            ("NATS_URL", "nats://hun,ter2@a:4222,b:4222", "nats://***@a:4222,b:4222"),
            ("NATS_URL", "nats://hun?ter2@a:4222", "nats://***"),
            ("NATS_URL", "nats://hunter2@a:4222,nats://b:4222", "nats://***@a:4222,nats://b:4222"),
            (
                "DAYBOOK_SMTP_URL",
                "smtp://me:hunter2@mail:587?tls=required",
                "smtp://me:***@mail:587?tls=required",
            ),
            ("DAYBOOK_SMS_URL", "https://sms.example/send?key=hunter2", "https://sms.example/send?key=***"),
            ("DAYBOOK_SHOP_NAME", "Hunter & Sons", "Hunter & Sons"),
            ("DAYBOOK_STRIPE_KEY", "sk_live_hunter2", "***"),
        ] {
            assert_eq!(shown(name, value), expected);
        }
    }
}
