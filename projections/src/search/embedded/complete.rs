//! What a text that is still being typed may become: its last word completed by words of titles, what finds most first.

use std::collections::HashMap;

use tantivy::{DocSet, TERMINATED, postings::TermInfo};

use super::{
    catalog::Catalog,
    expand::{DOCUMENTS, continuations},
    matching::Room,
};
use crate::search::{
    index::{COMPLETIONS_MAX, IndexError},
    synonyms::Synonyms,
    words::{Typed, before_last},
};

/// Words that are looked at, and documents that they are looked for in.
const CANDIDATES_MAX: usize = 100;
const LOOKED_AT_MAX: u32 = 200_000;

/// The completions of a text.
pub(super) fn complete(
    catalog: &Catalog,
    text: &str,
    synonyms: &Synonyms,
    room: &mut Room,
) -> Result<Vec<String>, IndexError> {
    let mut before = Typed::read(text);
    let Some(last) = before.words.pop().filter(|word| word.open) else { return Ok(Vec::new()) };
    if before.is_empty() {
        room.everything(catalog.columns.len());
    } else {
        room.look_for(catalog, &before, synonyms)?;
    }
    let mut candidates: HashMap<String, Vec<(usize, TermInfo)>> = HashMap::new();
    for (nth, segment) in catalog.segments.iter().enumerate() {
        for (word, info) in continuations(segment, catalog.fields.written, &last.text)? {
            candidates.entry(word).or_default().push((nth, info));
        }
    }
    let documents = |infos: &[(usize, TermInfo)]| infos.iter().map(|(_, info)| info.doc_freq).sum::<u32>();
    let mut candidates: Vec<_> =
        candidates.into_iter().map(|(word, infos)| (documents(&infos), word, infos)).collect();
    candidates.sort_by(|one, other| (other.0, &one.1).cmp(&(one.0, &other.1)));
    candidates.truncate(CANDIDATES_MAX);
    let (mut looked_at, mut found) = (0, Vec::new());
    for (documents, word, infos) in candidates {
        if looked_at > LOOKED_AT_MAX {
            break;
        }
        looked_at += documents;
        let count = if before.is_empty() { documents } else { together(catalog, room, &infos)? };
        if count > 0 {
            found.push((count, word));
        }
    }
    found.sort_by(|one, other| (other.0, &one.1).cmp(&(one.0, &other.1)));
    found.truncate(COMPLETIONS_MAX);
    let begun = before_last(text).to_lowercase();
    Ok(found.into_iter().map(|(_, word)| format!("{begun}{word}")).collect())
}

/// In how many hits of the words before it a word stands.
fn together(catalog: &Catalog, room: &Room, infos: &[(usize, TermInfo)]) -> Result<u32, IndexError> {
    let mut count = 0;
    for (nth, info) in infos {
        let segment = &catalog.segments[*nth];
        let inverted = segment.reader.inverted_index(catalog.fields.written)?;
        let mut postings = inverted.read_postings_from_terminfo(info, DOCUMENTS)?;
        let mut document = postings.doc();
        while document != TERMINATED {
            count += u32::from(room.has(segment.begin + document));
            document = postings.advance();
        }
    }
    Ok(count)
}
