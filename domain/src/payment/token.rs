//! What a buyer pays with, as an authorization carries it: a text whose beginning says what it is.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::value::{Invalid, MethodId, Sealed, Text};

const SEALED: &str = "sealed:";
const SAVED: &str = "saved:";

/// A gateway's token for what the buyer pays with. Tokens of real gateways are secrets, and stand in the log sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Token {
    /// As the gateway gave it: of a simulated gateway, or from before tokens were sealed.
    Plain(Text),
    /// The same, closed under the buyer's key: `sealed:<base64>:<subject>`.
    Sealed(Sealed),
    /// What the customer keeps, by its id: `saved:<id>`.
    Saved(MethodId),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(token) => f.write_str(token.as_str()),
            Self::Sealed(Sealed { subject, sealed }) => write!(f, "{SEALED}{sealed}:{subject}"),
            Self::Saved(method) => write!(f, "{SAVED}{method}"),
        }
    }
}

impl FromStr for Token {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(method) = text.strip_prefix(SAVED) {
            return Ok(Self::Saved(MethodId::new(method)?));
        }
        match text.strip_prefix(SEALED).map(|rest| rest.split_once(':')) {
            Some(Some((sealed, subject))) => {
                Ok(Self::Sealed(Sealed { subject: subject.into(), sealed: sealed.into() }))
            }
            Some(None) => Err(Invalid::new("token", text, "sealed:<base64>:<subject>")),
            None => Text::new(text).map(Self::Plain),
        }
    }
}

impl TryFrom<String> for Token {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.to_string()
    }
}

impl From<Text> for Token {
    fn from(token: Text) -> Self {
        Self::Plain(token)
    }
}
