//! The edge's own tables: what is neither history nor derived from it, such as accounts and outgoing mail.

use std::sync::LazyLock;

use sqlx::migrate::Migrator;
use store::schema::Tables;

/// What the name of the edge's schema ends with.
pub const SUFFIX: &str = "_edge";

static EDGE: LazyLock<Migrator> = store::migrations! {"../migrations":
    20261212000001 "accounts",
    20261212000100 "errands",
    20261213000002 "payment_methods",
    20261227000041 "strangers",
    20261227000042 "told_methods",
    20261227000043 "gateways_of_methods",
    20261227000044 "refresh_tokens_end",
};

/// Ordinary tables in a schema beside the log: rows there are changed and removed.
#[must_use]
pub fn tables() -> Tables {
    Tables {
        suffix: SUFFIX,
        migrations: vec![&*EDGE],
        grants: &[
            ("SELECT, INSERT, UPDATE, DELETE", "accounts"),
            ("SELECT, INSERT, UPDATE, DELETE", "addresses"),
            ("SELECT, INSERT, UPDATE, DELETE", "sessions"),
            ("SELECT, INSERT, UPDATE, DELETE", "refresh_tokens"),
            ("SELECT, INSERT, UPDATE, DELETE", "revocations"),
            ("SELECT, INSERT, UPDATE, DELETE", "mailed_tokens"),
            ("SELECT, INSERT, DELETE", "earlier_mailed_tokens"),
            ("SELECT, INSERT, UPDATE, DELETE", "known_origins"),
            ("SELECT, INSERT, UPDATE, DELETE", "second_factors"),
            ("SELECT, INSERT, UPDATE, DELETE", "recovery_codes"),
            ("SELECT, INSERT, UPDATE, DELETE", "attempts"),
            ("SELECT, INSERT, UPDATE, DELETE", "signing_keys"),
            ("SELECT, INSERT, UPDATE, DELETE", "outgoing_mail"),
            ("SELECT, INSERT, UPDATE, DELETE", "errands"),
            ("SELECT, INSERT, UPDATE, DELETE", "webhook_endpoints"),
            ("SELECT, INSERT, UPDATE, DELETE", "parcels"),
            ("SELECT, INSERT, UPDATE, DELETE", "payment_methods"),
            ("SELECT, INSERT", "payment_methods_told"),
            ("SELECT, INSERT, DELETE", "payment_holders"),
            ("SELECT, INSERT, DELETE", "gateway_holders"),
        ],
        // Who people are is nobody's to analyse.
        analysts: &[],
        of_the_log: false,
    }
}
