//! Why something about accounts could not be done, apart from what was wrong with the request.

use store::vault::VaultError;

use crate::problem::Problem;

/// Why something about accounts could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The edge's tables could not be reached.
    #[error("the edge's tables: {0}")]
    Database(#[from] sqlx::Error),
    /// What is sealed could not be opened, or nothing could be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] std::io::Error),
    /// A value cannot be written as JSON, or what was sealed is none.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A key or a password's hash in the tables is none.
    #[error("the edge's tables hold {0} that cannot be used")]
    Broken(&'static str),
    /// As many passwords are being hashed as this process hashes at once.
    #[error("too many passwords are being checked")]
    Busy,
    /// The e-mail is another account's.
    #[error("an account has that e-mail address already")]
    EmailTaken,
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(error) => Self::unavailable(&(&error).into()),
            Error::Vault(error) => error.into(),
            Error::Busy => {
                Self::new("auth.busy", "too many passwords are being checked: try again in a moment")
            }
            Error::EmailTaken => Self::new("account.email_taken", error.to_string()),
            Error::NoAccount => Self::new("account.not_found", error.to_string()),
            Error::Randomness(_) | Error::Json(_) | Error::Broken(_) => Self::internal(&error),
        }
    }
}
