//! Chance that a seed repeats.

/// SplitMix64: small, good enough to choose with, and the same everywhere.
pub struct Chance(u64);

impl Chance {
    /// The chance of one actor in one round of a run.
    pub fn of(seed: u64, round: u64, actor: u64) -> Self {
        let mut chance = Self(seed);
        for part in [round, actor] {
            chance.0 = chance.next() ^ part.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of `first..=last`.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(several.len() as u64)).unwrap();
        &several[index]
    }
}
