//! The rules that are to be others, read from a file. What it does not name stays as it was.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use domain::{
    checkout::Plan,
    pricing::{self, Tables, Unquotable},
    value::{Quantity, Sku, Text},
};
use scenarios::text::instead_of;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

/// What may stand in the file.
const NAMES: [&str; 4] = ["tax", "shipping", "payment_window_minutes", "purchase_limits"];
/// Stands for every SKU that is not named.
const ANY_SKU: &str = "*";
/// A week: holds that last longer are not made by checkouts.
const WINDOW_MAX_MINUTES: i64 = 7 * 24 * 60;
/// The window is counted from the request and the checkout is recorded a little later: so much is no difference.
const WINDOW_SLACK_MS: i64 = 1_000;

/// Rules that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("the rules in {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What stands in it is wrong.
    #[error("the rules in {path}: {reason}")]
    Wrong {
        /// In which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Rules that are to be others.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Tax and shipping.
    tables: Option<Tables>,
    /// How long a buyer may take to pay, in milliseconds.
    window_ms: Option<i64>,
    /// How many units one customer may buy, by SKU; `None` for as many as they like.
    limits: BTreeMap<String, Option<Quantity>>,
}

impl Rules {
    /// Reads a file. Where it names tax or shipping alone, the other is that of `present`.
    ///
    /// # Errors
    /// When it cannot be read, or says what cannot be.
    pub fn load(path: &Path, present: Option<&Tables>) -> Result<Self, RulesError> {
        let text =
            fs::read_to_string(path).map_err(|source| RulesError::File { path: path.to_owned(), source })?;
        Self::parse(&text, present).map_err(|reason| RulesError::Wrong { path: path.to_owned(), reason })
    }

    /// The same from text.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str, present: Option<&Tables>) -> Result<Self, String> {
        let Json::Object(fields) = serde_json::from_str(text).map_err(|error| error.to_string())? else {
            return Err(format!("an object with any of {}", NAMES.join(", ")));
        };
        if let Some(name) = fields.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(format!("there is no rule {name:?}{}", instead_of(name, NAMES)));
        }
        let window: Option<i64> = fields
            .get("payment_window_minutes")
            .map(|value| read("payment_window_minutes", value))
            .transpose()?;
        if window.is_some_and(|minutes| !(1..=WINDOW_MAX_MINUTES).contains(&minutes)) {
            return Err(format!("payment_window_minutes is a number from 1 to {WINDOW_MAX_MINUTES}"));
        }
        let limits: BTreeMap<String, Option<Quantity>> = fields
            .get("purchase_limits")
            .map(|value| read("purchase_limits", value))
            .transpose()?
            .unwrap_or_default();
        if let Some(error) =
            limits.keys().filter(|sku| *sku != ANY_SKU).find_map(|sku| Sku::new(sku.as_str()).err())
        {
            return Err(format!("purchase_limits: {error}"));
        }
        let window_ms = window.map(|minutes| minutes * 60_000);
        Ok(Self { tables: tables(&fields, present)?, window_ms, limits })
    }

    /// The plan of a checkout by these rules, but for its quote.
    #[must_use]
    pub fn plan(&self, plan: &Plan) -> Plan {
        let mut then = plan.clone();
        if let Some(window_ms) = self.window_ms {
            let pay_by = plan.at.plus_millis(window_ms);
            if (pay_by.millis() - plan.pay_by.millis()).abs() >= WINDOW_SLACK_MS {
                then.pay_by = pay_by;
            }
        }
        for line in &mut then.lines {
            if let Some(limit) = self.limits.get(line.sku.as_str()).or_else(|| self.limits.get(ANY_SKU)) {
                line.purchase_limit = *limit;
            }
        }
        then
    }

    /// What the plan comes to by these rules. Where no shipping was quoted, none is: nobody knows which was wanted.
    ///
    /// # Errors
    /// When it is not sent there, or not so much.
    pub fn quote(&self, plan: &mut Plan) -> Result<(), Unquotable> {
        let Some(tables) = &self.tables else { return Ok(()) };
        let shipping: Option<Text> =
            plan.quote.as_ref().and_then(|quote| Some(quote.shipping.as_ref()?.code.clone()));
        let currency = plan.total.currency;
        let quote = pricing::quote(tables, &plan.delivery.country, shipping.as_ref(), currency, &plan.lines)?;
        plan.total = quote.total;
        plan.quote = Some(quote);
        Ok(())
    }
}

/// The tables that the file names, with the present ones in the place of what it does not.
fn tables(fields: &Map<String, Json>, present: Option<&Tables>) -> Result<Option<Tables>, String> {
    let named: Vec<(&str, &Json)> =
        ["tax", "shipping"].into_iter().filter_map(|name| Some((name, fields.get(name)?))).collect();
    if named.is_empty() {
        return Ok(None);
    }
    let mut all = match present {
        Some(present) => serde_json::to_value(present).map_err(|error| error.to_string())?,
        None if named.len() < 2 => {
            return Err(format!(
                "it names {} alone: name tax and shipping both, or set DAYBOOK_PRICING to the tables of now",
                named[0].0
            ));
        }
        None => Json::Object(Map::new()),
    };
    for (name, value) in named {
        all[name] = value.clone();
    }
    read("tax and shipping", &all).map(Some)
}

fn read<T: DeserializeOwned>(what: &str, value: &Json) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| format!("{what}: {}", meant(&error.to_string())))
}

/// Serde tells a field that it does not know, and all that it does: the nearest of them is told instead.
fn meant(error: &str) -> String {
    let mut names = error.split('`').skip(1).step_by(2);
    match names.next() {
        Some(unknown) if error.starts_with("unknown field") => {
            let known: Vec<&str> = names.collect();
            format!("there is no {unknown:?} here{}", instead_of(unknown, known.iter().copied()))
        }
        _ => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_would_read_is_refused_with_the_name_that_was_meant() {
        let tables = include_str!("../../samples/pricing.json");
        let present: Tables = serde_json::from_str(tables).unwrap();
        for (text, wanted) in [
            ("{\"taxes\": {}}", "there is no rule \"taxes\"; did you mean \"tax\"?"),
            ("{\"payment_window_minuets\": 5}", "did you mean \"payment_window_minutes\"?"),
            ("{\"payment_window_minutes\": 0}", "a number from 1 to"),
            ("{\"payment_window_minutes\": \"5\"}", "payment_window_minutes: invalid type"),
            ("{\"purchase_limits\": {\"A\": 0}}", "purchase_limits"),
            ("{\"tax\": {\"prices_include_tax\": true, \"rate\": []}}", "did you mean \"rates\"?"),
            ("{\"shipping\": {\"methods\": [{\"cod\": \"x\"}]}}", "did you mean \"code\"?"),
            ("[]", "an object with any of tax, shipping"),
            ("{", "EOF"),
        ] {
            let error = Rules::parse(text, Some(&present)).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let alone = Rules::parse("{\"tax\": {\"prices_include_tax\": true}}", None).unwrap_err();
        assert!(alone.contains("DAYBOOK_PRICING"), "{alone}");
        for text in ["{}", tables, "{\"purchase_limits\": {\"*\": 2, \"A 1\": null}}"] {
            assert!(Rules::parse(text, Some(&present)).is_ok(), "{text}");
        }
    }
}
