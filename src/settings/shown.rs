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
const OPEN: &[&str] = &["sslmode", "sslrootcert", "application_name", "tls"];

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
        return value.split(',').map(|url| address(url.trim())).collect::<Vec<_>>().join(",");
    }
    value.to_owned()
}

/// An address without its password, or its token, and without parameters that may be one.
fn address(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(rest, _)| (rest, "#***"));
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    // What stands before the last @ of the host's part is who logs in; a password may hold a slash by mistake.
    let rest = match rest.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            // A NATS token has no name before it; a name of Postgres alone is no secret.
            None if scheme.starts_with("postgres") => format!("{login}@{host}"),
            None => format!("{MASK}@{host}"),
        },
        None => rest.to_owned(),
    };
    let query = query.map(|query| {
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some((name, value)) if OPEN.contains(&name) => format!("{name}={value}"),
            Some((name, _)) => format!("{name}={MASK}"),
            None => MASK.to_owned(),
        });
        format!("?{}", parts.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{rest}{}{fragment}", query.unwrap_or_default())
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
                "postgres://shop@db/shop?sslmode=require",
                "postgres://shop@db/shop?sslmode=require",
            ),
            (
                "DATABASE_URL",
                "postgres://db/shop?user=a&password=hunter2",
                "postgres://db/shop?user=***&password=***",
            ),
            ("DATABASE_URL", "postgres://a:hun/ter2@db/shop", "postgres://a:***@db/shop"),
            ("DATABASE_URL", "postgres://a:hun@ter2@db/shop", "postgres://a:***@db/shop"),
            ("DATABASE_URL", "host=db password=hunter2", "***"),
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
