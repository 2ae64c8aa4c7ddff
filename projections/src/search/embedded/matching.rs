//! Which products a text matches, and how well: one pass over the documents of each word, into arrays by number.

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

/// No product with this mark matches.
const UNWANTED: u8 = u8::MAX;

/// Room to match in, used again and again: nothing is allocated for a hit.
#[derive(Default)]
pub(super) struct Room {
    /// How many of the words each product has matched, in the order in which they are looked at.
    stage: Vec<u8>,
    /// The last word that counted for it, where not all have to.
    last: Vec<u8>,
    score: Vec<u16>,
    /// What matches.
    pub hits: Vec<u32>,
    /// Words and phrases that a whole match has.
    parts: u32,
}

impl Room {
    fn clear(&mut self, products: usize) {
        self.hits.clear();
        for marks in [&mut self.stage, &mut self.last] {
            marks.clear();
            marks.resize(products, 0);
        }
        // A score is set before it is read.
        self.score.resize(products, 0);
    }

    /// Everything matches until something is looked for.
    pub fn everything(&mut self, products: usize) {
        self.clear(products);
        self.parts = 0;
    }

    /// Whether a product was among the hits of what was looked for last, if anything was.
    pub fn has(&self, number: u32) -> bool {
        self.parts == 0 || u32::from(self.stage[number as usize]) == self.parts
    }

    /// How well a hit matches: a hundred thousand when every word stands in its title, and a bit more when nothing else
    /// does.
    pub fn relevance(&self, number: u32, title_words: u32) -> i64 {
        let parts = self.parts.max(1);
        let matched = i64::from(u32::from(self.score[number as usize]) * 100 / parts);
        let share = 10_000 * parts.min(title_words) / title_words.max(1);
        matched + i64::from(share)
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
        self.hits.clear();
        if typed.is_empty() {
            return Ok(());
        }
        let mut words = Vec::new();
        for effort in [Effort::Literal, Effort::Forgiving] {
            words = expand(catalog, typed, synonyms, effort)?;
            words.sort_by_key(|meant| meant.cost);
            self.look_for_all(catalog, typed, &words)?;
            if !self.hits.is_empty() {
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
                    each(catalog, segment, list, |number| {
                        if self.stage[number as usize] == stage {
                            self.stage[number as usize] += 1;
                            let before = if stage == 0 { 0 } else { self.score[number as usize] };
                            self.score[number as usize] = before.saturating_add(worth);
                            if stage + 1 == all {
                                self.hits.push(number);
                            }
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
        let phrases = u8::try_from(typed.phrases.len()).unwrap_or(0);
        for (nth, meant) in (1_u8..).zip(words) {
            for (segment, lists) in catalog.segments.iter().zip(&meant.segments) {
                for list in lists {
                    let worth = worth(list.worth);
                    each(catalog, segment, list, |number| {
                        let at = number as usize;
                        let wanted = self.stage[at] != UNWANTED && self.stage[at] >= phrases;
                        if !wanted || self.last[at] == nth {
                            return;
                        }
                        if self.stage[at] == phrases {
                            self.hits.push(number);
                            self.score[at] = if phrases == 0 { 0 } else { self.score[at] };
                        }
                        self.last[at] = nth;
                        self.stage[at] += 1;
                        self.score[at] = self.score[at].saturating_add(worth);
                    })?;
                }
            }
        }
        let most = self.hits.iter().map(|number| self.stage[*number as usize]).max().unwrap_or(0);
        let stage = &self.stage;
        let enough = usize::from(most - most.min(phrases)) * 2 >= words.len();
        self.hits.retain(|number| enough && stage[*number as usize] == most);
        Ok(())
    }

    /// Begins with nothing matched, what is unwanted marked, and phrases looked for.
    fn prepare(&mut self, catalog: &Catalog, typed: &Typed) -> Result<(), IndexError> {
        self.clear(catalog.columns.len());
        for unwanted in &typed.without {
            for field in 0..WORTH.len() {
                let wanted = term(catalog.fields.texts[field], unwanted);
                let query = TermQuery::new(wanted, DOCUMENTS);
                each_of(catalog, &query, |number| self.stage[number as usize] = UNWANTED)?;
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
                each_of(catalog, &*query, |number| {
                    let at = number as usize;
                    if self.stage[at] == stage {
                        self.stage[at] += 1;
                        self.score[at] =
                            (if stage == 0 { 0 } else { self.score[at] }).saturating_add(worth(*whole));
                        if last {
                            self.hits.push(number);
                        }
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

/// Every product of a list, in the order of a segment's documents.
fn each(
    catalog: &Catalog,
    segment: &Segment,
    list: &List,
    mut found: impl FnMut(u32),
) -> Result<(), IndexError> {
    let inverted = segment.reader.inverted_index(catalog.fields.texts[list.field])?;
    let postings = |info| inverted.read_postings_from_terminfo(info, DOCUMENTS);
    let [first, others @ ..] = list.terms.as_slice() else { return Ok(()) };
    let mut first = postings(first)?;
    let mut others: Vec<SegmentPostings> = others.iter().map(postings).collect::<Result<_, _>>()?;
    let mut document = first.doc();
    while document != TERMINATED {
        if others.iter_mut().all(|other| other.doc() <= document && other.seek(document) == document) {
            found(segment.numbers[document as usize]);
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
            found(segment.numbers[document as usize]);
            document = scorer.advance();
        }
    }
    Ok(())
}
