//! Pages of long lists, and where the next one begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::QueryError;

/// A page has at most this many entries; who asks for more gets this many.
pub const LIMIT_MAX: u32 = 100;

/// Where a page begins: opaque to whoever carries it, understood by the list that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor as somebody brought it back; whether it is one shows when it is used.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The cursor as text, safe in a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn after<K: Serialize>(key: &K) -> Result<Self, QueryError> {
        let json = serde_json::to_vec(key).map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(json)))
    }

    pub(crate) fn key<K: DeserializeOwned>(&self) -> Result<K, QueryError> {
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| QueryError::BadCursor)?;
        serde_json::from_slice(&json).map_err(|_| QueryError::BadCursor)
    }
}

/// Some entries of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The entries, in the list's order.
    pub data: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<Cursor>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// A page of `limit` entries out of one more than that, where there are so many.
    pub(crate) fn of<K: Serialize>(
        mut rows: Vec<T>,
        limit: u32,
        key: impl Fn(&T) -> K,
    ) -> Result<Self, QueryError> {
        let limit = limited(limit) as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = match rows.last() {
            Some(last) if has_more => Some(Cursor::after(&key(last))?),
            _ => None,
        };
        Ok(Self { data: rows, next_cursor, has_more })
    }
}

/// How many rows to ask for: one more than is given, to know whether there are more.
pub(crate) fn rows_wanted(limit: u32) -> i64 {
    i64::from(limited(limit)) + 1
}

fn limited(limit: u32) -> u32 {
    limit.clamp(1, LIMIT_MAX)
}
