//! Which products a text matches, and how well: one pass over the documents of each word, into arrays by their places.
//!
//! A place is that of a document among those of all segments: words list theirs in this order, so that the arrays are gone
//! through from one end to the other.

use tantivy::{
    DocSet, TERMINATED,
    postings::SegmentPostings,
    query::{EnableScoring, PhraseQuery, Query, TermQuery},
};

use super::{
    catalog::{Catalog, Segment},
    expand::{DOCUMENTS, Effort, List, Meant, expand},
    text::{WORTH, term},
};
use crate::search::{index::IndexError, synonyms::Synonyms, words::Typed};

/// No document with this mark matches.
const UNWANTED: u8 = u8::MAX;

/// Room to match in, used again and again: nothing is allocated for a hit.
#[derive(Default)]
pub(super) struct Room {
    /// How many of the words each document has matched, in the order in which they are looked at.
    stage: Vec<u8>,
    /// The last word that counted for it, where not all have to.
    last: Vec<u8>,
    score: Vec<u16>,
    /// What matches: the first `found` of these.
    places: Vec<u32>,
    found: usize,
    /// Words and phrases that a whole match has.
    parts: u32,
}

impl Room {
    fn clear(&mut self, products: usize) {
        self.found = 0;
        self.stage.clear();
        self.stage.resize(products, 0);
        // A score and a place are set before they are read.
        self.score.resize(products, 0);
        self.places.resize(products + 1, 0);
    }

    /// What matches.
    pub fn hits(&self) -> &[u32] {
        &self.places[..self.found]
    }

    /// Notes a document, if it is a hit. It is written down anyway: which ones are hits cannot be foreseen, and a branch that
    /// is taken wrongly costs more.
    fn note(&mut self, place: u32, is_hit: bool) {
        self.places[self.found] = place;
        self.found += usize::from(is_hit);
    }

    /// Everything matches until something is looked for.
    pub fn everything(&mut self, products: usize) {
        self.clear(products);
        self.parts = 0;
    }

    /// Whether a product was among the hits of what was looked for last, if anything was.
    pub fn has(&self, place: u32) -> bool {
        self.parts == 0 || u32::from(self.stage[place as usize]) == self.parts
    }

    /// How well a hit matches: a hundred thousand when every word stands in its title, and a bit more when nothing else
    /// does.
    pub fn relevance(&self, place: u32, title_words: u32) -> i64 {
        let parts = self.parts.max(1);
        let score = u32::from(self.score[place as usize]) * 100;
        // Divided by what the compiler knows, which is far quicker.
        let matched = match parts {
            1 => score,
            2 => score / 2,
            3 => score / 3,
            4 => score / 4,
            _ => score / parts,
        };
        let share = if title_words <= parts { 10_000 } else { 10_000 * parts / title_words };
        i64::from(matched + share)
    }

    /// Fills `hits` with what the text matches. When no product has every word, mistyped words are thought of, and
    /// then those count that have most of them.
    pub fn look_for(
        &mut self,
        catalog: &Catalog,
        typed: &Typed,
        synonyms: &Synonyms,
    ) -> Result<(), IndexError> {
        self.parts = u32::try_from(typed.words.len() + typed.phrases.len()).unwrap_or(u32::MAX);
        self.found = 0;
        if typed.is_empty() {
            return Ok(());
        }
        let mut words = Vec::new();
        for effort in [Effort::Literal, Effort::Forgiving] {
            words = expand(catalog, typed, synonyms, effort)?;
            words.sort_by_key(|meant| meant.cost);
            self.look_for_all(catalog, typed, &words)?;
            if self.found > 0 {
                return Ok(());
            }
        }
        if typed.words.len() > 1 {
            self.look_for_most(catalog, typed, &words)?;
        }
        Ok(())
    }

    fn look_for_all(&mut self, catalog: &Catalog, typed: &Typed, words: &[Meant]) -> Result<(), IndexError> {
        self.prepare(catalog, typed)?;
        let phrases = u8::try_from(typed.phrases.len()).unwrap_or(0);
        let all = phrases + u8::try_from(words.len()).unwrap_or(0);
        for (stage, meant) in (phrases..).zip(words) {
            for (segment, lists) in catalog.segments.iter().zip(&meant.segments) {
                for list in lists {
                    let worth = worth(list.worth);
                    each(segment, list, |place| {
                        let at = place as usize;
                        let (reached, score) = (self.stage[at], self.score[at]);
                        let is_hit = reached == stage;
                        let before = if stage == 0 { 0 } else { score };
                        self.stage[at] = reached + u8::from(is_hit);
                        self.score[at] = if is_hit { before.saturating_add(worth) } else { score };
                        if stage + 1 == all {
                            self.note(place, is_hit);
                        }
                    })?;
                }
            }
        }
        Ok(())
    }

    /// What has most of the words, and half of them at least.
    fn look_for_most(&mut self, catalog: &Catalog, typed: &Typed, words: &[Meant]) -> Result<(), IndexError> {
        self.prepare(catalog, typed)?;
        self.last.clear();
        self.last.resize(catalog.columns.len(), 0);
        let phrases = u8::try_from(typed.phrases.len()).unwrap_or(0);
        for (nth, meant) in (1_u8..).zip(words) {
            for (segment, lists) in catalog.segments.iter().zip(&meant.segments) {
                for list in lists {
                    let worth = worth(list.worth);
                    each(segment, list, |place| {
                        let at = place as usize;
                        let wanted = self.stage[at] != UNWANTED && self.stage[at] >= phrases;
                        if !wanted || self.last[at] == nth {
                            return;
                        }
                        if self.stage[at] == phrases {
                            self.note(place, true);
                            self.score[at] = if phrases == 0 { 0 } else { self.score[at] };
                        }
                        self.last[at] = nth;
                        self.stage[at] += 1;
                        self.score[at] = self.score[at].saturating_add(worth);
                    })?;
                }
            }
        }
        let most = self.hits().iter().map(|place| self.stage[*place as usize]).max().unwrap_or(0);
        let enough = usize::from(most - most.min(phrases)) * 2 >= words.len();
        for nth in 0..std::mem::take(&mut self.found) {
            let place = self.places[nth];
            self.note(place, enough && self.stage[place as usize] == most);
        }
        Ok(())
    }

    /// Begins with nothing matched, what is unwanted marked, and phrases looked for.
    fn prepare(&mut self, catalog: &Catalog, typed: &Typed) -> Result<(), IndexError> {
        self.clear(catalog.columns.len());
        for unwanted in &typed.without {
            for field in catalog.fields.best {
                let wanted = term(field, unwanted);
                let query = TermQuery::new(wanted, DOCUMENTS);
                each_of(catalog, &query, |place| self.stage[place as usize] = UNWANTED)?;
            }
        }
        for (stage, phrase) in (0_u8..).zip(&typed.phrases) {
            let last = typed.words.is_empty() && usize::from(stage) + 1 == typed.phrases.len();
            for (field, whole) in WORTH.iter().enumerate() {
                let terms: Vec<_> =
                    phrase.iter().map(|stem| term(catalog.fields.texts[field], stem)).collect();
                let query: Box<dyn Query> = match terms.as_slice() {
                    [only] => Box::new(TermQuery::new(only.clone(), DOCUMENTS)),
                    _ => Box::new(PhraseQuery::new(terms)),
                };
                each_of(catalog, &*query, |place| {
                    let at = place as usize;
                    if self.stage[at] == stage {
                        self.stage[at] += 1;
                        self.score[at] =
                            (if stage == 0 { 0 } else { self.score[at] }).saturating_add(worth(*whole));
                        self.note(place, last);
                    }
                })?;
            }
        }
        Ok(())
    }
}

fn worth(worth: u32) -> u16 {
    u16::try_from(worth).unwrap_or(u16::MAX)
}

/// Every place of a list, in order.
fn each(segment: &Segment, list: &List, mut found: impl FnMut(u32)) -> Result<(), IndexError> {
    let inverted = segment.reader.inverted_index(list.field)?;
    if let [only] = list.terms.as_slice() {
        let mut block = inverted.read_block_postings_from_terminfo(only, DOCUMENTS)?;
        while !block.docs().is_empty() {
            block.docs().iter().for_each(|document| found(segment.begin + *document));
            block.advance();
        }
        return Ok(());
    }
    let postings = |info| inverted.read_postings_from_terminfo(info, DOCUMENTS);
    let [first, others @ ..] = list.terms.as_slice() else { return Ok(()) };
    let mut first = postings(first)?;
    let mut others: Vec<SegmentPostings> = others.iter().map(postings).collect::<Result<_, _>>()?;
    let mut document = first.doc();
    while document != TERMINATED {
        if others.iter_mut().all(|other| other.doc() <= document && other.seek(document) == document) {
            found(segment.begin + document);
        }
        document = first.advance();
    }
    Ok(())
}

fn each_of(catalog: &Catalog, query: &dyn Query, mut found: impl FnMut(u32)) -> Result<(), IndexError> {
    for segment in &catalog.segments {
        let schema = segment.reader.schema();
        let weight = query.weight(EnableScoring::disabled_from_schema(schema))?;
        let mut scorer = weight.scorer(&segment.reader, 1.0)?;
        let mut document = scorer.doc();
        while document != TERMINATED {
            found(segment.begin + document);
            document = scorer.advance();
        }
    }
    Ok(())
}
