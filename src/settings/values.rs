//! Where each setting comes from: the environment, else the file of NAME=value lines, else its default.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use super::{
    SettingsError,
    names::{names, of_the_environment},
};

/// Who has said what a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The environment.
    Environment,
    /// The settings file.
    File,
}

impl Origin {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "env",
            Self::File => "file",
        }
    }
}

/// What was said, as texts that nobody has looked at.
#[derive(Clone, Default)]
pub struct Values {
    file: BTreeMap<String, String>,
}

impl Values {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or holds a line that is not `NAME=value` with a known name.
    pub fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        Ok(Self { file: file.map(read).transpose()?.unwrap_or_default() })
    }

    /// What a setting was set to, and where. An empty text says nothing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(String, Origin)> {
        let environment = env::var(name).ok().map(|value| (value, Origin::Environment));
        let said = environment.or_else(|| Some((self.file.get(name)?.clone(), Origin::File)));
        said.filter(|(value, _)| !value.trim().is_empty())
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, SettingsError> {
    let text =
        fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, String>, SettingsError> {
    let wrong = |line: usize, reason: String| SettingsError::Line { path: PathBuf::from(path), line, reason };
    let mut values = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        // A line may hold a secret, so no more of it is repeated than a name that is known.
        let Some((name, value)) = text.split_once('=').map(|(name, value)| (name.trim(), value.trim()))
        else {
            return Err(wrong(line, "not NAME=value".to_owned()));
        };
        if let Some((name, _)) = of_the_environment().find(|(known, _)| *known == name) {
            return Err(wrong(
                line,
                format!("{name} is of the environment or the command line, not of a file"),
            ));
        }
        if !names().any(|(known, _)| known == name) {
            let names: Vec<_> = names().map(|(name, _)| name).collect();
            return Err(wrong(line, format!("not NAME=value with one of the names {}", names.join(", "))));
        }
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(wrong(line, format!("{name} is set a second time")));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        parse(Path::new("shop.env"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_names_and_values_and_comments() {
        let values = read("# a shop\n\n NATS_URL = nats://db:4222 \nDAYBOOK_CACHE_MB=8\n").unwrap();
        assert_eq!(values["NATS_URL"], "nats://db:4222");
        assert_eq!(values["DAYBOOK_CACHE_MB"], "8");
    }

    #[test]
    fn what_nobody_would_read_is_told_with_its_line_and_without_its_value() {
        for (text, line, word) in [
            ("DAYBOOK_CASH_MB=hunter2", 1, "one of the names"),
            ("\nhunter2", 2, "not NAME=value"),
            ("DAYBOOK_LISTEN=hunter2", 1, "of the environment"),
            ("DAYBOOK_MASTER_KEY=a\nDAYBOOK_MASTER_KEY=hunter2", 2, "a second time"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(&format!("shop.env:{line}: ")) && error.contains(word), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
