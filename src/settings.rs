//! Settings that are not flags: from the environment, and where it is silent from a file of NAME=value lines.

mod ingress;
mod names;
mod outbound;
mod paying;
mod shown;
mod telemetry;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use api::{carriers::Carriers, outbound::OutboundSettings};
use domain::{pricing::Tables, value::Money};
use projections::search::{Synonyms, SynonymsError};
use store::secrets::{MasterKey, MasterKeyError};

pub use ingress::{Ingress, Mode};
pub use names::{known, names};
pub use paying::{Paying, PayingError};
pub use shown::{is_secret, shown};
pub use telemetry::Tracing;
pub use values::{Origin, Values};

/// A terabyte: more than anybody has.
const MEGABYTES_MAX: u32 = 1_000_000;
/// Megabytes of events that NATS keeps where nothing else is said.
const NATS_MB: u32 = 4_096;
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
    /// The analysts' role, if there is one.
    pub analyst_role: Option<String>,
    /// Postgres as a role that may read the keys of personal data, for whoever opens an export.
    pub vault_database_url: Option<String>,
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
    /// How many bytes of events NATS keeps.
    pub nats_bytes_max: i64,
    /// The master key.
    pub master_key: Option<MasterKey>,
    /// The one before, while keys are still wrapped by it.
    pub previous_master_key: Option<MasterKey>,
    /// Tax and shipping.
    pub pricing: Option<Arc<Tables>>,
    /// Orders of so much or more are held for review.
    pub review_from: Option<Money>,
    /// Who payments are carried to.
    pub paying: Paying,
    /// Whether that was said, rather than left open.
    pub paying_named: bool,
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
    /// What requests go through.
    pub ingress: Ingress,
    /// Who is told what happened, and how.
    pub outbound: OutboundSettings,
    /// Whose word is taken about parcels.
    pub carriers: Carriers,
    /// Where traces go, if anywhere.
    pub tracing: Option<Tracing>,
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
    /// Something else than what it takes.
    #[error("{name}: {reason}")]
    Value {
        /// Which setting.
        name: &'static str,
        /// What is wrong.
        reason: String,
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
    /// The gateway cannot be used.
    #[error(transparent)]
    Paying(#[from] PayingError),
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
        Self::of(&Values::read(file)?)
    }

    /// Checks what was said.
    ///
    /// # Errors
    /// When a value cannot be used.
    pub fn of(values: &Values) -> Result<Self, SettingsError> {
        let get = |name: &str| values.get(name).map(|(value, _)| value);
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
            analyst_role: get("DAYBOOK_ANALYST_ROLE"),
            vault_database_url: get("DAYBOOK_VAULT_DATABASE_URL"),
            schema: get("DAYBOOK_SCHEMA").unwrap_or_else(|| "daybook".to_owned()),
            projection_database_url: get("DAYBOOK_PROJECTION_DATABASE_URL"),
            projection_owner_database_url: get("DAYBOOK_PROJECTION_OWNER_DATABASE_URL"),
            read_database_url: get("DAYBOOK_READ_DATABASE_URL"),
            archive: get("DAYBOOK_ARCHIVE_DIR").map(PathBuf::from),
            nats_url: get("NATS_URL"),
            nats_prefix: get("DAYBOOK_NATS_PREFIX").unwrap_or_else(|| "daybook".to_owned()),
            nats_bytes_max: i64::from(
                number("DAYBOOK_NATS_MB", "megabytes", 1, MEGABYTES_MAX)?.unwrap_or(NATS_MB),
            ) << 20,
            master_key: master_key("DAYBOOK_MASTER_KEY")?,
            previous_master_key: master_key("DAYBOOK_MASTER_KEY_PREVIOUS")?,
            pricing: get("DAYBOOK_PRICING").map(|path| tables(Path::new(&path))).transpose()?.map(Arc::new),
            review_from: get("DAYBOOK_REVIEW_FROM").map(|text| text.parse()).transpose()?,
            paying: Paying::of(get)?,
            paying_named: get("DAYBOOK_GATEWAY").is_some(),
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
            ingress: Ingress::read(&get, &number)?,
            outbound: outbound::outbound(&get)?,
            carriers: outbound::carriers(&get)?,
            tracing: Tracing::read(&get)?,
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
