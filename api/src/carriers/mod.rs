//! What carriers tell of parcels, by signed webhooks: believed, kept, and brought to the orders.

mod parcels;
mod tell;
pub(crate) mod webhook;

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::standard_webhooks::Secret;

pub use parcels::Parcels;
pub use tell::{Tell, Word};
pub use webhook::routes;

/// Characters of a carrier's name.
const NAME_MAX: usize = 64;

/// A carrier as paths and settings name it: lower case letters, digits and hyphens. `Royal Mail` is `royal-mail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CarrierName(Box<str>);

impl CarrierName {
    /// The name that somebody wrote somehow; `None` when nothing is left of it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain: String =
            text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        let name = plain.split_whitespace().collect::<Vec<_>>().join("-");
        let fits = !name.is_empty() && name.chars().count() <= NAME_MAX;
        fits.then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CarrierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose word is taken about parcels, and what they sign with; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Carriers(Arc<BTreeMap<CarrierName, Vec<Secret>>>);

impl Carriers {
    /// These carriers.
    #[must_use]
    pub fn new(carriers: BTreeMap<CarrierName, Vec<Secret>>) -> Self {
        Self(Arc::new(carriers))
    }

    /// What a carrier signs with; `None` when nobody knows it.
    #[must_use]
    pub fn secrets(&self, name: &CarrierName) -> Option<&[Secret]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_is_known_however_its_name_is_written() {
        let name = |text| CarrierName::new(text).map(|name| name.to_string());
        for text in ["Royal Mail", "royal-mail", " ROYAL  mail ", "Royal/Mail."] {
            assert_eq!(name(text).as_deref(), Some("royal-mail"), "{text}");
        }
        assert_eq!(name("DHL Express 24h").as_deref(), Some("dhl-express-24h"));
        assert_eq!([name(""), name("--"), name(&"x".repeat(65))], [None, None, None]);
    }
}
