//! What is known of each product beside the text: dense columns by a number that stays, values changed in place.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed},
};

use store::log::Position;

use crate::search::index::{Document, Values};

/// Rows of one piece of memory: a growing index never moves what is there.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: usize = 14;

/// Values are changed while queries read them: each is atomic by itself.
struct Chunk {
    listed_at: Box<[AtomicI64]>,
    price: Box<[AtomicI64]>,
    brand: Box<[AtomicU32]>,
    leaf: Box<[AtomicU32]>,
    /// Mean in thousandths above the 19 bits of how many rated: in the order of the best.
    rating: Box<[AtomicU32]>,
    rating_sum: Box<[AtomicI64]>,
    sold: Box<[AtomicI64]>,
    /// Band of the price, stars, availability and the title's length, of eight bits each.
    marks: Box<[AtomicU32]>,
}

impl Chunk {
    fn new() -> Self {
        let wide = || (0..CHUNK).map(|_| AtomicI64::new(0)).collect();
        let narrow = || (0..CHUNK).map(|_| AtomicU32::new(0)).collect();
        Self {
            listed_at: wide(),
            price: wide(),
            brand: narrow(),
            leaf: narrow(),
            rating: narrow(),
            rating_sum: wide(),
            sold: wide(),
            marks: narrow(),
        }
    }
}

const RATED_BITS: u32 = 19;
/// So many who rated are counted at most.
pub(super) const RATED_MAX: u32 = (1 << RATED_BITS) - 1;

/// What is counted of a product, in one number.
#[derive(Clone, Copy)]
pub(super) struct Marks(u32);

impl Marks {
    pub fn band(self) -> usize {
        (self.0 & 0xff) as usize
    }

    pub fn stars(self) -> usize {
        ((self.0 >> 8) & 0xff) as usize
    }

    pub fn available(self) -> bool {
        (self.0 >> 16) & 0xff != 0
    }

    pub fn title_words(self) -> u32 {
        self.0 >> 24
    }
}

/// All rows.
#[derive(Default)]
pub(super) struct Columns {
    chunks: Vec<Chunk>,
    len: usize,
    numbers: HashMap<Position, u32>,
}

impl Columns {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn number(&self, listed_at: Position) -> Option<u32> {
        self.numbers.get(&listed_at).copied()
    }

    /// Adds a product; `None` when there is no number left.
    pub fn push(&mut self, document: &Document, brand: u32, leaf: u32, title_words: usize) -> Option<u32> {
        let number = self.grow(document.listed_at)?;
        let (chunk, at) = self.at(number);
        chunk.brand[at].store(brand, Relaxed);
        chunk.leaf[at].store(leaf, Relaxed);
        let words = u32::try_from(title_words.clamp(1, 255)).unwrap_or(255);
        chunk.marks[at].store(words << 24, Relaxed);
        self.set(number, &document.values);
        Some(number)
    }

    /// Adds a product as it is known elsewhere; `None` when there is no number left.
    pub fn adopt(&mut self, other: &Self, number: u32) -> Option<u32> {
        let new = self.grow(other.listed_at(number))?;
        let ((from, there), (to, here)) = (other.at(number), self.at(new));
        let wide = |from: &AtomicI64, to: &AtomicI64| to.store(from.load(Relaxed), Relaxed);
        let narrow = |from: &AtomicU32, to: &AtomicU32| to.store(from.load(Relaxed), Relaxed);
        wide(&from.price[there], &to.price[here]);
        wide(&from.rating_sum[there], &to.rating_sum[here]);
        wide(&from.sold[there], &to.sold[here]);
        narrow(&from.brand[there], &to.brand[here]);
        narrow(&from.leaf[there], &to.leaf[here]);
        narrow(&from.rating[there], &to.rating[here]);
        narrow(&from.marks[there], &to.marks[here]);
        Some(new)
    }

    /// Makes room for one more product.
    fn grow(&mut self, listed_at: Position) -> Option<u32> {
        let number = u32::try_from(self.len).ok()?;
        if self.len == self.chunks.len() * CHUNK {
            self.chunks.push(Chunk::new());
        }
        self.len += 1;
        self.numbers.insert(listed_at, number);
        let (chunk, at) = self.at(number);
        chunk.listed_at[at].store(listed_at, Relaxed);
        Some(number)
    }

    /// Changes a product's values. There is one writer.
    pub fn set(&self, number: u32, values: &Values) {
        let (chunk, at) = self.at(number);
        let rating = values.rating();
        let rated = u32::try_from(values.rating_count.max(0)).unwrap_or(u32::MAX).min(RATED_MAX);
        chunk.price[at].store(values.price, Relaxed);
        chunk.sold[at].store(values.sold, Relaxed);
        chunk.rating_sum[at].store(values.rating_sum, Relaxed);
        chunk.rating[at].store((rating << RATED_BITS) | rated, Relaxed);
        let band = u32::try_from(values.band()).unwrap_or(0);
        let marks = band | ((rating / 1_000) << 8) | (u32::from(values.available) << 16);
        let words = chunk.marks[at].load(Relaxed) & 0xff00_0000;
        chunk.marks[at].store(marks | words, Relaxed);
    }

    pub fn values(&self, number: u32) -> Values {
        let (chunk, at) = self.at(number);
        Values {
            price: chunk.price[at].load(Relaxed),
            available: self.marks(number).available(),
            sold: chunk.sold[at].load(Relaxed),
            rating_sum: chunk.rating_sum[at].load(Relaxed),
            rating_count: i64::from(chunk.rating[at].load(Relaxed) & RATED_MAX),
        }
    }

    fn at(&self, number: u32) -> (&Chunk, usize) {
        let number = number as usize;
        (&self.chunks[number >> CHUNK_BITS], number & (CHUNK - 1))
    }

    pub fn listed_at(&self, number: u32) -> Position {
        let (chunk, at) = self.at(number);
        chunk.listed_at[at].load(Relaxed)
    }

    pub fn price(&self, number: u32) -> i64 {
        let (chunk, at) = self.at(number);
        chunk.price[at].load(Relaxed)
    }

    pub fn brand(&self, number: u32) -> u32 {
        let (chunk, at) = self.at(number);
        chunk.brand[at].load(Relaxed)
    }

    pub fn leaf(&self, number: u32) -> u32 {
        let (chunk, at) = self.at(number);
        chunk.leaf[at].load(Relaxed)
    }

    /// The mean in thousandths above, how many rated below.
    pub fn rating(&self, number: u32) -> u32 {
        let (chunk, at) = self.at(number);
        chunk.rating[at].load(Relaxed)
    }

    pub fn rating_mean(&self, number: u32) -> u32 {
        self.rating(number) >> RATED_BITS
    }

    pub fn sold(&self, number: u32) -> i64 {
        let (chunk, at) = self.at(number);
        chunk.sold[at].load(Relaxed)
    }

    pub fn marks(&self, number: u32) -> Marks {
        let (chunk, at) = self.at(number);
        Marks(chunk.marks[at].load(Relaxed))
    }
}
