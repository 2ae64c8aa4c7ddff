//! What a word that was typed may stand for among the words that the index knows.

use std::collections::HashMap;

use tantivy::{
    postings::TermInfo,
    query::FuzzyTermQuery,
    schema::{Field, IndexRecordOption},
    termdict::TermDictionary,
};

use super::{
    catalog::{Catalog, Segment},
    text::{WORTH, term},
};
use crate::search::{
    index::IndexError,
    synonyms::Synonyms,
    words::{Typed, Word, edits, edits_allowed, stem},
};

/// Mistyped forms of a word that are looked for, and completions of one.
const FORMS_MAX: usize = 64;
const COMPLETIONS_MAX: usize = 2_000;
/// Documents that the completions of one word are looked up in, at most: a single letter begins many words.
const COMPLETED_MAX: u32 = 400_000;

/// Of a hundred.
const EXACT: u32 = 100;
const JOINED: u32 = 95;
const SPLIT: u32 = 90;
const SYNONYM: u32 = 85;
const COMPLETED: u32 = 75;
const MISTYPED: [u32; 3] = [100, 60, 40];

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// What was typed, with synonyms and completions; other forms only of words that nobody uses.
    Literal,
    /// Mistyped forms of every word.
    Forgiving,
}

/// A list of documents that hold what a word stands for.
pub(super) struct List {
    /// All of them have to be there.
    pub terms: Vec<TermInfo>,
    pub field: Field,
    pub worth: u32,
}

/// What one word stands for, in each segment.
pub(super) struct Meant {
    pub segments: Vec<Vec<List>>,
    /// Documents that have to be looked at, about.
    pub cost: u64,
}

impl Meant {
    fn new(segments: usize) -> Self {
        Self { segments: (0..segments).map(|_| Vec::new()).collect(), cost: 0 }
    }

    /// Adds what stands in a field whose matches are worth `whole`.
    fn add(&mut self, segment: usize, (field, whole): (Field, u32), terms: Vec<TermInfo>, quality: u32) {
        self.cost += u64::from(terms.iter().map(|info| info.doc_freq).min().unwrap_or(0));
        self.segments[segment].push(List { terms, field, worth: whole * quality / 100 });
    }
}

/// Finds what every word of a query stands for.
pub(super) fn expand(
    catalog: &Catalog,
    typed: &Typed,
    synonyms: &Synonyms,
    effort: Effort,
) -> Result<Vec<Meant>, IndexError> {
    let mut all = Vec::with_capacity(typed.words.len());
    for (nth, word) in typed.words.iter().enumerate() {
        let mut meant = Meant::new(catalog.segments.len());
        look_up(catalog, &mut meant, &[&word.stem], EXACT)?;
        for neighbours in [nth.checked_sub(1).map(|before| [before, nth]), Some([nth, nth + 1])] {
            let Some([first, second]) = neighbours.filter(|pair| pair[1] < typed.words.len()) else {
                continue;
            };
            let joined = format!("{}{}", typed.words[first].text, typed.words[second].text);
            look_up(catalog, &mut meant, &[&stem(&joined)], JOINED)?;
        }
        for (range, stems) in synonyms.of(&typed.words) {
            if range.contains(&nth) {
                look_up(catalog, &mut meant, &stems.iter().map(String::as_str).collect::<Vec<_>>(), SYNONYM)?;
            }
        }
        if word.open {
            complete(catalog, &mut meant, word)?;
        }
        if meant.cost == 0 {
            split(catalog, &mut meant, word)?;
        }
        if meant.cost == 0 || effort == Effort::Forgiving {
            forgive(catalog, &mut meant, word)?;
        }
        for lists in &mut meant.segments {
            lists.sort_by_key(|list| std::cmp::Reverse(list.worth));
        }
        all.push(meant);
    }
    Ok(all)
}

fn look_up(catalog: &Catalog, meant: &mut Meant, stems: &[&str], quality: u32) -> Result<(), IndexError> {
    // Several words have to stand in the same field, which need not be the best one of each.
    let fields = if stems.len() == 1 { catalog.fields.best } else { catalog.fields.texts };
    for (nth, segment) in catalog.segments.iter().enumerate() {
        for field in fields.into_iter().zip(WORTH) {
            let dictionary = segment.reader.inverted_index(field.0)?;
            let mut terms = Vec::with_capacity(stems.len());
            for stem in stems {
                terms.extend(dictionary.get_term_info(&term(field.0, stem))?);
            }
            if terms.len() == stems.len() {
                meant.add(nth, field, terms, quality);
            }
        }
    }
    Ok(())
}

/// Words that go on where the last one stops; the more letters are missing, the less they are worth.
fn complete(catalog: &Catalog, meant: &mut Meant, word: &Word) -> Result<(), IndexError> {
    for (nth, segment) in catalog.segments.iter().enumerate() {
        let mut looked_at = 0;
        for field in catalog.fields.best.into_iter().zip(WORTH) {
            let mut found = continuations(segment, field.0, &word.text)?;
            found.retain(|(text, _)| *text != word.stem);
            found.sort_by_key(|(_, info)| std::cmp::Reverse(info.doc_freq));
            for (text, info) in found {
                if looked_at >= COMPLETED_MAX {
                    break;
                }
                looked_at += info.doc_freq;
                let missing = u32::try_from(text.len() - word.text.len()).unwrap_or(u32::MAX).min(15);
                meant.add(nth, field, vec![info], COMPLETED - missing);
            }
        }
    }
    Ok(())
}

/// The words of a field that begin so.
pub(super) fn continuations(
    segment: &Segment,
    field: Field,
    beginning: &str,
) -> Result<Vec<(String, TermInfo)>, IndexError> {
    let inverted = segment.reader.inverted_index(field)?;
    let mut stream = inverted.terms().range().ge(beginning.as_bytes()).into_stream()?;
    let mut found = Vec::new();
    while let Some((key, info)) = stream.next() {
        let Ok(text) = std::str::from_utf8(key) else { continue };
        if !text.starts_with(beginning) || found.len() == COMPLETIONS_MAX {
            break;
        }
        found.push((text.to_owned(), info.clone()));
    }
    Ok(found)
}

/// Two words that were written as one.
fn split(catalog: &Catalog, meant: &mut Meant, word: &Word) -> Result<(), IndexError> {
    for (at, _) in word.text.char_indices().skip(2) {
        let (first, second) = word.text.split_at(at);
        if second.len() > 2 {
            look_up(catalog, meant, &[&stem(first), &stem(second)], SPLIT)?;
        }
    }
    Ok(())
}

/// Words that may have been meant by a mistyped one.
fn forgive(catalog: &Catalog, meant: &mut Meant, word: &Word) -> Result<(), IndexError> {
    let max = edits_allowed(&word.text);
    if max == 0 {
        return Ok(());
    }
    // A description is too long to be searched for what was not typed.
    for (field, whole) in catalog.fields.best.into_iter().zip(WORTH).take(2) {
        let mut forms: HashMap<String, (u8, bool)> = HashMap::new();
        for segment in &catalog.segments {
            let inverted = segment.reader.inverted_index(field)?;
            let wanted = term(field, &word.stem);
            let whole = FuzzyTermQuery::new(wanted.clone(), max, true).automaton()?;
            for form in matching(inverted.terms(), whole)? {
                if let Some(edits) = edits(&word.stem, &form, max).filter(|edits| *edits > 0) {
                    forms.insert(form, (edits, false));
                }
            }
            if word.open && forms.is_empty() {
                let begun = FuzzyTermQuery::new_prefix(term(field, &word.text), 1, true);
                for form in matching(inverted.terms(), begun.automaton()?)? {
                    if begins_like(&form, &word.text) {
                        forms.insert(form, (1, true));
                    }
                }
            }
        }
        let mut forms: Vec<_> = forms.into_iter().collect();
        forms.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        for (form, (edits, begun)) in forms.into_iter().take(FORMS_MAX) {
            let quality = MISTYPED[usize::from(edits.min(2))] - if begun { 15 } else { 0 };
            let mut only = Meant::new(catalog.segments.len());
            look_up_in(catalog, &mut only, (field, whole), &form, quality)?;
            meant.cost += only.cost;
            for (lists, found) in meant.segments.iter_mut().zip(only.segments) {
                lists.extend(found);
            }
        }
    }
    Ok(())
}

fn look_up_in(
    catalog: &Catalog,
    meant: &mut Meant,
    field: (Field, u32),
    form: &str,
    quality: u32,
) -> Result<(), IndexError> {
    for (nth, segment) in catalog.segments.iter().enumerate() {
        let inverted = segment.reader.inverted_index(field.0)?;
        if let Some(info) = inverted.get_term_info(&term(field.0, form))? {
            meant.add(nth, field, vec![info], quality);
        }
    }
    Ok(())
}

fn matching(
    dictionary: &TermDictionary,
    automaton: tantivy::query::DfaWrapper,
) -> Result<Vec<String>, IndexError> {
    let mut stream = dictionary.search(automaton).into_stream()?;
    let mut found = Vec::new();
    while let Some((key, _)) = stream.next() {
        if let Ok(text) = std::str::from_utf8(key) {
            found.push(text.to_owned());
        }
        if found.len() == COMPLETIONS_MAX {
            break;
        }
    }
    Ok(found)
}

/// Whether a beginning of `form` is one edit away from `begun`.
fn begins_like(form: &str, begun: &str) -> bool {
    let length = begun.chars().count();
    let beginnings =
        (length.saturating_sub(1)..=length + 1).map(|letters| form.chars().take(letters).collect::<String>());
    beginnings.into_iter().any(|beginning| edits(begun, &beginning, 1).is_some())
}

/// How postings are read where only the documents count.
pub(super) const DOCUMENTS: IndexRecordOption = IndexRecordOption::Basic;
