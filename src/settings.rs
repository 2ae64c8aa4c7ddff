//! Settings that are not flags: from the environment, and where it is silent from a file of NAME=value lines.

mod outbound;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use api::{carriers::Carriers, outbound::OutboundSettings};
use domain::{pricing::Tables, value::Money};
use projections::search::{Synonyms, SynonymsError};
use store::secrets::{MasterKey, MasterKeyError};

/// Every name that a settings file may hold, and what it means. The environment knows the same names.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.iter().chain(outbound::NAMES).copied()
}

const NAMES: &[(&str, &str)] = &[
    ("DATABASE_URL", "Postgres as the serving role; without it, local servers are started"),
    ("DAYBOOK_OWNER_DATABASE_URL", "Postgres as the owner, for migrate; default: DATABASE_URL"),
    ("DAYBOOK_APP_ROLE", "the serving role that migrate grants to; default: daybook_app"),
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
    ("DAYBOOK_MASTER_KEY", "32 bytes in base64 that every secret derives from; needed beside DATABASE_URL"),
    (
        "DAYBOOK_MASTER_KEY_PREVIOUS",
        "the master key before, until `daybook keys rotate --check` finds nothing under it; default: none",
    ),
    ("DAYBOOK_PRICING", "a JSON file of tax and shipping tables, as samples/pricing.json; default: neither"),
    ("DAYBOOK_REVIEW_FROM", "orders of so much or more are held for review, as 500.00 GBP; default: none"),
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
    ("DAYBOOK_SERVERS", "where local servers' programs are kept; default: servers/ in the data directory"),
];

/// A terabyte: more than anybody has.
const MEGABYTES_MAX: u32 = 1_000_000;
/// A day: what is shown of stock is not kept longer.
const SECONDS_MAX: u32 = 86_400;

/// The serving role's name where nothing else is said.
const APP_ROLE: &str = "daybook_app";

/// Settings, checked for form.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Postgres as the serving role.
    pub database_url: Option<String>,
    /// Postgres as the owner.
    pub owner_database_url: Option<String>,
    /// The serving role.
    pub app_role: String,
    /// What the schemas' names start with.
    pub schema: String,
    /// Where read models are written, if elsewhere.
    pub projection_database_url: Option<String>,
    /// The same as the owner of the tables.
    pub projection_owner_database_url: Option<String>,
    /// Where queries read, if elsewhere.
    pub read_database_url: Option<String>,
    /// Where archived events lie.
    pub archive: Option<PathBuf>,
    /// NATS.
    pub nats_url: Option<String>,
    /// The first token of every subject.
    pub nats_prefix: String,
    /// The master key.
    pub master_key: Option<MasterKey>,
    /// The one before, while keys are still wrapped by it.
    pub previous_master_key: Option<MasterKey>,
    /// Tax and shipping.
    pub pricing: Option<Arc<Tables>>,
    /// Orders of so much or more are held for review.
    pub review_from: Option<Money>,
    /// About how many bytes the aggregates kept in memory may take, if something is said of it.
    pub cache_bytes_max: Option<usize>,
    /// About how many bytes the pages kept in memory may take, if something is said of it.
    pub page_bytes_max: Option<usize>,
    /// For how many seconds others may keep a product's page, if something is said of it.
    pub product_max_age_s: Option<u32>,
    /// For how many seconds more while they ask anew, if something is said of it.
    pub product_stale_s: Option<u32>,
    /// A Meilisearch, and its key.
    pub meili: Option<(String, Option<String>)>,
    /// The directory of this process's search index, if one was named.
    pub index: Option<PathBuf>,
    /// Words that mean the same.
    pub synonyms: Synonyms,
    /// Where local servers' programs are kept.
    pub servers: Option<PathBuf>,
    /// Who is told what happened, and how.
    pub outbound: OutboundSettings,
    /// Whose word is taken about parcels.
    pub carriers: Carriers,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the settings file {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line of the file is not `NAME=value`, or its name is unknown.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The tables of tax and shipping cannot be used.
    #[error("DAYBOOK_PRICING: {path}: {reason}")]
    Pricing {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Not a number in its bounds.
    #[error("{name}: {text:?} is not a whole number of {unit} from {min} to {max}")]
    Number {
        /// Which setting.
        name: &'static str,
        /// What it says.
        text: String,
        /// Of what.
        unit: &'static str,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The synonyms cannot be used.
    #[error("DAYBOOK_SYNONYMS: {0}")]
    Synonyms(#[from] SynonymsError),
    /// Nobody can be told so.
    #[error(transparent)]
    Outbound(#[from] outbound::WrongOutbound),
    /// Not an amount of money.
    #[error("DAYBOOK_REVIEW_FROM: {0}")]
    ReviewFrom(#[from] domain::value::Invalid),
    /// A master key is not one.
    #[error("{name}: {source}")]
    MasterKey {
        /// Which setting.
        name: &'static str,
        /// What is wrong.
        source: MasterKeyError,
    },
}

impl Settings {
    /// Reads the environment and the file.
    ///
    /// # Errors
    /// When the file cannot be read or a value cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let file = file.map(read).transpose()?.unwrap_or_default();
        let get = |name: &str| {
            env::var(name).ok().or_else(|| file.get(name).cloned()).filter(|value| !value.trim().is_empty())
        };
        let master_key = |name: &'static str| {
            let key = get(name).map(|text| text.parse()).transpose();
            key.map_err(|source| SettingsError::MasterKey { name, source })
        };
        let number = |name: &'static str, unit: &'static str, min: u32, max: u32| {
            let number = get(name).map(|text| match text.trim().parse() {
                Ok(number) if (min..=max).contains(&number) => Ok(number),
                _ => Err(SettingsError::Number { name, text, unit, min, max }),
            });
            number.transpose()
        };
        Ok(Self {
            database_url: get("DATABASE_URL"),
            owner_database_url: get("DAYBOOK_OWNER_DATABASE_URL"),
            app_role: get("DAYBOOK_APP_ROLE").unwrap_or_else(|| APP_ROLE.to_owned()),
            schema: get("DAYBOOK_SCHEMA").unwrap_or_else(|| "daybook".to_owned()),
            projection_database_url: get("DAYBOOK_PROJECTION_DATABASE_URL"),
            projection_owner_database_url: get("DAYBOOK_PROJECTION_OWNER_DATABASE_URL"),
            read_database_url: get("DAYBOOK_READ_DATABASE_URL"),
            archive: get("DAYBOOK_ARCHIVE_DIR").map(PathBuf::from),
            nats_url: get("NATS_URL"),
            nats_prefix: get("DAYBOOK_NATS_PREFIX").unwrap_or_else(|| "daybook".to_owned()),
            master_key: master_key("DAYBOOK_MASTER_KEY")?,
            previous_master_key: master_key("DAYBOOK_MASTER_KEY_PREVIOUS")?,
            pricing: get("DAYBOOK_PRICING").map(|path| tables(Path::new(&path))).transpose()?.map(Arc::new),
            review_from: get("DAYBOOK_REVIEW_FROM").map(|text| text.parse()).transpose()?,
            cache_bytes_max: number("DAYBOOK_CACHE_MB", "megabytes", 1, MEGABYTES_MAX)?.map(bytes),
            page_bytes_max: number("DAYBOOK_READ_CACHE_MB", "megabytes", 0, MEGABYTES_MAX)?.map(bytes),
            product_max_age_s: number("DAYBOOK_PRODUCT_MAX_AGE", "seconds", 0, SECONDS_MAX)?,
            product_stale_s: number("DAYBOOK_PRODUCT_STALE", "seconds", 0, SECONDS_MAX)?,
            meili: get("MEILI_URL").map(|url| (url, get("MEILI_MASTER_KEY"))),
            index: get("DAYBOOK_INDEX_DIR").map(PathBuf::from),
            synonyms: match get("DAYBOOK_SYNONYMS") {
                Some(path) => Synonyms::load(Path::new(&path))?,
                None => Synonyms::default(),
            },
            servers: get("DAYBOOK_SERVERS").map(PathBuf::from),
            outbound: outbound::outbound(&get)?,
            carriers: outbound::carriers(&get)?,
        })
    }

    /// Where the owner of the read models' tables reaches their database, if it is not where the log's owner is.
    #[must_use]
    pub fn projection_owner(&self) -> Option<&str> {
        self.projection_owner_database_url.as_deref().or(self.projection_database_url.as_deref())
    }

    /// Whether any server is named, beside `DATABASE_URL`.
    #[must_use]
    pub const fn names_servers(&self) -> bool {
        self.owner_database_url.is_some()
            || self.projection_database_url.is_some()
            || self.projection_owner_database_url.is_some()
            || self.read_database_url.is_some()
            || self.nats_url.is_some()
    }
}

const fn bytes(megabytes: u32) -> usize {
    (megabytes as usize) << 20
}

fn tables(path: &Path) -> Result<Tables, SettingsError> {
    let wrong = |reason: String| SettingsError::Pricing { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, SettingsError> {
    let text =
        fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
    let wrong = |line: usize, reason: String| SettingsError::Line { path: path.to_owned(), line, reason };
    let mut values = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        // A line may hold a secret, so none of it is repeated.
        let known = text.split_once('=').map(|(name, value)| (name.trim(), value));
        let Some((name, value)) = known.filter(|(name, _)| names().any(|(known, _)| known == *name)) else {
            let names: Vec<_> = names().map(|(name, _)| name).collect();
            return Err(wrong(line, format!("not NAME=value with one of the names {}", names.join(", "))));
        };
        values.insert(name.to_owned(), value.trim().to_owned());
    }
    Ok(values)
}
