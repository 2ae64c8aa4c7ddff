//! Stored words and documents, back as the values that they stand for.

use std::{error::Error, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, postgres::PgRow};
use store::follow::ApplyError;

/// An enum that is stored, and told in JSON, by one literal word a variant.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:tt,)+ }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        $(#[$doc])*
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// The word, as stored and in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::rows::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(crate::rows::UnknownWord(other.to_owned())),
                }
            }
        }
    };
}
pub(crate) use words;

/// A stored word that this program does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {0:?} here")]
pub struct UnknownWord(pub String);

/// A text column as the value that it names.
pub(crate) fn named<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    parse(row.try_get(column)?)
}

/// The same where it may be NULL.
pub(crate) fn named_if_any<T>(row: &PgRow, column: &str) -> Result<Option<T>, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    row.try_get::<Option<&str>, _>(column)?.map(parse).transpose()
}

/// A document, selected as text.
pub(crate) fn document<T: DeserializeOwned>(row: &PgRow, column: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A value as the text of a document.
pub(crate) fn text<T: Serialize>(value: &T) -> Result<String, ApplyError> {
    serde_json::to_string(value).map_err(|error| ApplyError::poison(&error))
}

/// The stored word of an enum that serialises as one.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<String, ApplyError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(other) => Err(ApplyError::Poison(format!("{other} is not a word"))),
        Err(error) => Err(ApplyError::poison(&error)),
    }
}

/// The inverse of [`word`].
pub(crate) fn unword<T: DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(text.into()).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn parse<T>(text: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(error.into()))
}
