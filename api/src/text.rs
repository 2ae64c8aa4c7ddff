//! Texts of a length that a request may carry.

use std::str::FromStr;

use domain::value::{Invalid, Text};
use serde::{Deserialize, Serialize};

/// A text of at most so many characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Bounded<const CHARS_MAX: usize>(Text);

/// A name, a reference, a line of an address.
pub type Short = Bounded<200>;
/// A remark.
pub type Note = Bounded<1_000>;

/// A text that is longer than it may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a text of {chars} characters where at most {max} fit")]
pub struct TooLong {
    chars: usize,
    max: usize,
}

impl<const CHARS_MAX: usize> Bounded<CHARS_MAX> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<const CHARS_MAX: usize> TryFrom<Text> for Bounded<CHARS_MAX> {
    type Error = TooLong;

    fn try_from(text: Text) -> Result<Self, TooLong> {
        let chars = text.as_str().chars().count();
        if chars > CHARS_MAX {
            return Err(TooLong { chars, max: CHARS_MAX });
        }
        Ok(Self(text))
    }
}

impl<const CHARS_MAX: usize> From<Bounded<CHARS_MAX>> for Text {
    fn from(bounded: Bounded<CHARS_MAX>) -> Self {
        bounded.0
    }
}

/// An e-mail address, as far as it can be told without sending something there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Short", into = "Short")]
pub struct Email(Short);

/// A text that is not an e-mail address.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an e-mail address has one @ between two parts without spaces")]
pub struct NotAnEmail;

impl Email {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<Short> for Email {
    type Error = NotAnEmail;

    fn try_from(text: Short) -> Result<Self, NotAnEmail> {
        let parts = text.0.as_str().split_once('@');
        let valid = parts.is_some_and(|(name, host)| {
            let fine = |part: &str| !part.is_empty() && !part.contains([' ', '@']);
            fine(name) && fine(host)
        });
        if valid { Ok(Self(text)) } else { Err(NotAnEmail) }
    }
}

impl FromStr for Email {
    type Err = NotAnEmail;

    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        let short = Text::new(text).ok().and_then(|text| Short::try_from(text).ok()).ok_or(NotAnEmail)?;
        Self::try_from(short)
    }
}

impl From<Email> for Short {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// Two capital letters of ISO 3166-1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(Text);

/// A text that is not a country's code.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a country is two capital letters of ISO 3166-1, such as GB")]
pub struct NotACountry;

impl TryFrom<String> for Country {
    type Error = NotACountry;

    fn try_from(text: String) -> Result<Self, NotACountry> {
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(NotACountry);
        }
        Text::new(text).map(Self).map_err(|_: Invalid| NotACountry)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.0.into()
    }
}

impl From<Country> for Text {
    fn from(country: Country) -> Self {
        country.0
    }
}
