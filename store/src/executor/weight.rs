//! How many bytes an aggregate takes in memory, about.

use domain::AnyState;

use super::cache::Ready;
use crate::json::ToJson as _;

/// What every aggregate takes: its slot, its id twice, an allocator's share, and trees whose first entry takes the room of
/// eleven.
const EACH: usize = size_of::<Ready>() + 1_200;
/// Bytes in memory for a byte of JSON. Measured on stock with 30 to 3,000 reservations: 1.7, before the allocator rounds.
const A_BYTE_OF_JSON: usize = 2;
/// JSON up to which a state is cheap to copy.
const LIGHT: usize = 16 << 10;
/// Growth after which a state is measured again, at least.
const GROWN_MIN: usize = 1 << 10;

/// An estimate that is made anew after the state may have grown by half.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// The length of the state's JSON when it was measured.
    json: usize,
    /// Bytes of the events since.
    grown: usize,
}

impl Weight {
    pub fn of(state: &AnyState) -> Self {
        // Every state is JSON: keys are texts and numbers are whole.
        Self { json: state.json_length().unwrap_or(0), grown: 0 }
    }

    /// How many bytes are reckoned.
    pub const fn bytes(self) -> usize {
        EACH + (self.json + self.grown) * A_BYTE_OF_JSON
    }

    /// Whether the state is soon copied.
    pub const fn is_light(self) -> bool {
        self.json + self.grown < LIGHT
    }

    /// Events of so many bytes have made the state what it is.
    pub fn grow(&mut self, bytes: usize, state: &AnyState) {
        self.grown += bytes;
        if self.grown > GROWN_MIN.max(self.json / 2) {
            *self = Self::of(state);
        }
    }
}
