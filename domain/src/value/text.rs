//! Words for people: titles, notes, references.

use std::{fmt, str::FromStr, sync::Arc};

use serde::Deserialize;

use super::Invalid;

/// Text that says something: not blank, and without the NUL character, which Postgres cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Text(Arc<str>);

written_as_text!(Text);

impl Text {
    /// Checks and takes a text as it stands, spaces included.
    ///
    /// # Errors
    /// When it is blank or holds a NUL.
    pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        if text.trim().is_empty() || text.contains('\0') {
            return Err(Invalid::new("text", &text, "something other than blanks, without NUL"));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Text {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(text)
    }
}

impl TryFrom<String> for Text {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::new(text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        (*text.0).into()
    }
}
