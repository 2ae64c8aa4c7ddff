//! `settings`: what each setting is, where that comes from, and what it means; secrets are not shown.

use std::path::Path;

use serde_json::json;

use super::{FINE, Failure};
use crate::{
    out,
    settings::{Origin, Settings, SettingsError, Values, is_secret, known, shown},
};

/// Lists every setting, and then says what is wrong with one.
pub fn run(file: Option<&Path>, json: bool) -> Result<u8, Failure> {
    let values = Values::read(file)?;
    let checked: Result<Settings, SettingsError> = Settings::of(&values);
    let rows: Vec<_> = known().map(|(name, meaning)| Row::of(&values, name, meaning)).collect();
    if json {
        let settings: Vec<_> = rows.iter().map(Row::to_json).collect();
        let error = checked.as_ref().err().map(ToString::to_string);
        out::line(json!({"ok": error.is_none(), "settings": settings, "error": error}))?;
    } else {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for Row { name, meaning, value, origin } in &rows {
            let value = value.as_deref().unwrap_or("-");
            out::line(format_args!("{name:width$}  {:7}  {value}", origin.as_str()))?;
            out::line(format_args!("{:width$}  {:7}  {meaning}", "", ""))?;
        }
    }
    match checked {
        Ok(_) => Ok(FINE),
        // It stands in the object already.
        Err(error) if json => {
            out::tell(format_args!("daybook: {error}"));
            Ok(super::WRONG_INPUT)
        }
        Err(error) => Err(error.into()),
    }
}

struct Row {
    name: &'static str,
    meaning: &'static str,
    /// As it may be shown; of a default what its meaning says.
    value: Option<String>,
    origin: Origin,
}

impl Row {
    fn of(values: &Values, name: &'static str, meaning: &'static str) -> Self {
        match values.get(name) {
            Some((value, origin)) => Self { name, meaning, value: Some(shown(name, &value)), origin },
            None => {
                let default = meaning.rsplit_once("; default: ").map(|(_, default)| default.to_owned());
                Self { name, meaning, value: default, origin: Origin::Default }
            }
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "source": self.origin.as_str(),
            "value": self.value,
            "secret": is_secret(self.name),
            "meaning": self.meaning,
        })
    }
}
