//! How many: a count of units that is never zero.

use std::{fmt, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A number of units, from 1 to 4,294,967,295.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quantity(NonZeroU32);

impl Quantity {
    /// So many units.
    ///
    /// # Errors
    /// When it is zero.
    pub fn new(units: u32) -> Result<Self, Invalid> {
        NonZeroU32::new(units).map(Self).ok_or_else(|| Invalid::new("quantity", "0", "at least 1"))
    }

    /// The number of units.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// Both together; `None` when that does not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.get()).map(Self)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
