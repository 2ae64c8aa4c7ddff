//! Personal data as the log may hold it: closed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A personal value, encrypted under its subject's key; only the store's vault opens it.
///
/// The domain carries it and can neither read nor compare what is inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Whose key closes it: a customer, or a guest's cart. Destroying that key forgets the value.
    pub subject: Arc<str>,
    /// Nonce and ciphertext in base64.
    pub sealed: Arc<str>,
}
