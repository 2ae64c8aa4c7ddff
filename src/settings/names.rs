//! The names of all settings, and what each means.

use super::{outbound, telemetry};

/// Every name that a settings file may hold, and what it means. The environment knows the same names.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.iter().chain(outbound::NAMES).chain(telemetry::NAMES).copied()
}

/// Names that the environment has and a file cannot: they are needed before one is read, or are a flag as well.
pub fn of_the_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    ENVIRONMENT.iter().copied()
}

/// All of them.
pub fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    of_the_environment().chain(names())
}

const ENVIRONMENT: &[(&str, &str)] = &[
    ("DAYBOOK_CONFIG", "the file with all other settings, as --config; default: none"),
    ("DAYBOOK_DATA", "where local servers keep their data, as --data; default: .daybook"),
    ("DAYBOOK_LISTEN", "where up and serve listen, as --listen; default: 127.0.0.1:8080"),
    (
        "DAYBOOK_LOG",
        "what is logged, as warn or api=debug, with commas; default: warn,daybook=info,store=info,api=info",
    ),
];

const NAMES: &[(&str, &str)] = &[
    ("DATABASE_URL", "Postgres as the serving role; without it, local servers are started"),
    ("DAYBOOK_OWNER_DATABASE_URL", "Postgres as the owner, for migrate; default: DATABASE_URL"),
    ("DAYBOOK_APP_ROLE", "the serving role that migrate grants to; default: daybook_app"),
    (
        "DAYBOOK_ANALYST_ROLE",
        "a role that migrate lets read the log and the read models, and nothing else; default: none",
    ),
    (
        "DAYBOOK_VAULT_DATABASE_URL",
        "Postgres as a role that may read the keys of personal data, for `events export --open`; default: DATABASE_URL",
    ),
    ("DAYBOOK_SCHEMA", "what the schemas' names start with; default: daybook"),
    ("DAYBOOK_PROJECTION_DATABASE_URL", "where read models are written; default: DATABASE_URL"),
    (
        "DAYBOOK_PROJECTION_OWNER_DATABASE_URL",
        "the same as the owner of the tables, for migrate and rebuilds; default: DAYBOOK_PROJECTION_DATABASE_URL, else DAYBOOK_OWNER_DATABASE_URL",
    ),
    (
        "DAYBOOK_READ_DATABASE_URL",
        "where queries read, perhaps a standby; default: where read models are written",
    ),
    (
        "DAYBOOK_ARCHIVE_DIR",
        "the directory of archived events, for every process that reads the log; default with local servers: archive/ in the data directory",
    ),
    ("NATS_URL", "NATS with JetStream; needed beside DATABASE_URL"),
    ("DAYBOOK_NATS_PREFIX", "the first token of every subject; default: daybook"),
    (
        "DAYBOOK_NATS_MB",
        "megabytes of events that NATS keeps, which it sets aside at once; older ones are read from the log; default: 4096",
    ),
    ("DAYBOOK_MASTER_KEY", "32 bytes in base64 that every secret derives from; needed beside DATABASE_URL"),
    (
        "DAYBOOK_MASTER_KEY_PREVIOUS",
        "the master key before, until `daybook keys rotate --check` finds nothing under it; default: none",
    ),
    ("DAYBOOK_PRICING", "a JSON file of tax and shipping tables, as samples/pricing.json; default: neither"),
    ("DAYBOOK_REVIEW_FROM", "orders of so much or more are held for review, as 500.00 GBP; default: none"),
    (
        "DAYBOOK_GATEWAY",
        "who payments are carried to: simulator or stripe; to be named in production; default: simulator",
    ),
    ("DAYBOOK_STRIPE_KEY", "the secret key of the Stripe account; needed for stripe"),
    (
        "DAYBOOK_STRIPE_WEBHOOK_SECRET",
        "what Stripe signs its webhooks with, two with a comma between them while it is replaced; needed for stripe",
    ),
    ("DAYBOOK_STRIPE_URL", "where Stripe is, for tests; default: https://api.stripe.com"),
    ("DAYBOOK_CACHE_MB", "about how many megabytes the aggregates kept in memory may take; default: 256"),
    (
        "DAYBOOK_READ_CACHE_MB",
        "about how many megabytes of product and order pages are kept in memory, 0 for none; default: 64",
    ),
    ("DAYBOOK_PRODUCT_MAX_AGE", "seconds that browsers and CDNs may keep a product's page; default: 5"),
    (
        "DAYBOOK_PRODUCT_STALE",
        "seconds after those in which they may show it while they ask anew; default: 30",
    ),
    ("MEILI_URL", "a Meilisearch to search products in; without it, an index in the process"),
    ("MEILI_MASTER_KEY", "the key of that Meilisearch; default: none"),
    (
        "DAYBOOK_INDEX_DIR",
        "the directory of this process's search index, for itself alone; default: index/ in the data directory, or index-2/ and so on beside it when another process has that one",
    ),
    ("DAYBOOK_SYNONYMS", "a file of words that mean the same, as samples/synonyms.txt; default: none"),
    (
        "DAYBOOK_TLS_CERT",
        "a PEM file with the certificate of the listener and its chain; default: clear text",
    ),
    ("DAYBOOK_TLS_KEY", "a PEM file with the key of that certificate"),
    ("DAYBOOK_TLS", "proxy, when clients speak TLS to a proxy before this process; default: they do not"),
    (
        "DAYBOOK_MODE",
        "production refuses to start when something is not fit for it; default: production where others than this machine can connect, else development",
    ),
    (
        "DAYBOOK_TRUSTED_PROXIES",
        "addresses and networks whose X-Forwarded-For is believed, with commas; default: 127.0.0.0/8,::1",
    ),
    (
        "DAYBOOK_CORS_ORIGINS",
        "pages of these origins may use the API in a browser, as https://shop.example, with commas; default: none",
    ),
    (
        "DAYBOOK_RATE_PER_ADDRESS",
        "requests a second from one address, over ten seconds, 0 for any; default: 100",
    ),
    (
        "DAYBOOK_RATE_PER_PRINCIPAL",
        "requests a second under one login, over ten seconds, 0 for any; default: 50",
    ),
    (
        "DAYBOOK_DRAIN_NOTICE",
        "seconds for which /readyz says that the process is about to end before it takes no more connections; default: 0",
    ),
    ("DAYBOOK_SERVERS", "where local servers' programs are kept; default: servers/ in the data directory"),
];
