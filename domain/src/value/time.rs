//! Moments, as the domain needs them: something to compare and add to.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(i64);

impl Time {
    /// A moment, in milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The next multiple of `step_ms` at or after this, so that moments which nearly meet become one.
    #[must_use]
    pub const fn rounded_up(self, step_ms: i64) -> Self {
        match self.0.checked_rem_euclid(step_ms) {
            None | Some(0) => self,
            Some(over) => self.plus_millis(step_ms.saturating_sub(over)),
        }
    }

    /// So many milliseconds later, at most the last moment there is.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}
