//! The secret that calls to Stripe are made with.

use std::{fmt, str::FromStr};

/// A secret or restricted key of Stripe's, `sk_…` or `rk_…`. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<str>);

/// A text that is no such key.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a key of Stripe's begins with sk_ or rk_; pk_ ones are for browsers")]
pub struct NotAKey;

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim();
        let named = ["sk_", "rk_"].iter().any(|start| text.starts_with(start));
        let fine = (8..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if named && fine { Ok(Self(text.into())) } else { Err(NotAKey) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        let key: Key = "sk_test_4eC39HqLyjWDarjtT1zdp7dc".parse().unwrap();
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    #[test]
    fn a_browsers_key_and_an_empty_one_are_refused() {
        for text in ["pk_test_4eC39HqLyjWDarjtT1zdp7dc", "", "sk_", "sk_test with blanks"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}
