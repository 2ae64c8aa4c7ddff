//! Marks in a text what matched, whatever engine found it.

use super::{
    query::Highlight,
    synonyms::Synonyms,
    words::{Typed, Word, edits, edits_allowed, stem, tokens},
};
use crate::products::Product;

/// Bytes of a description that are shown around the first match, about.
const SHOWN: usize = 160;

/// What to mark for one query.
pub(super) struct Marker<'q> {
    typed: &'q Typed,
    /// Stems that stand for words of the query.
    meant: Vec<String>,
}

impl<'q> Marker<'q> {
    pub fn new(typed: &'q Typed, synonyms: &Synonyms) -> Self {
        let mut meant: Vec<String> = typed.phrases.iter().flatten().cloned().collect();
        meant.extend(synonyms.of(&typed.words).into_iter().flat_map(|(_, stems)| stems.iter().cloned()));
        for pair in typed.words.windows(2) {
            meant.push(stem(&format!("{}{}", pair[0].text, pair[1].text)).into_owned());
        }
        Self { typed, meant }
    }

    pub fn mark(&self, product: &Product) -> Highlight {
        Highlight {
            title: self.marked(product.title.as_str()).0,
            description: product.description.as_ref().and_then(|text| self.excerpt(text.as_str())),
        }
    }

    /// The whole text, and where its first match begins.
    pub fn marked(&self, text: &str) -> (String, Option<usize>) {
        let (mut marked, mut done, mut first) = (String::with_capacity(text.len() + 16), 0, None);
        for token in tokens(text).iter().filter(|token| self.means(&token.text)) {
            first = first.or(Some(token.place.start));
            escape(&text[done..token.place.start], &mut marked);
            marked.push_str("<em>");
            escape(&text[token.place.clone()], &mut marked);
            marked.push_str("</em>");
            done = token.place.end;
        }
        escape(&text[done..], &mut marked);
        (marked, first)
    }

    fn excerpt(&self, text: &str) -> Option<String> {
        let first = tokens(text).into_iter().find(|token| self.means(&token.text))?.place.start;
        let from = boundary(text, first.saturating_sub(SHOWN / 4));
        let to = boundary(text, (from + SHOWN).min(text.len()));
        let (before, after) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
        Some(format!("{before}{}{after}", self.marked(&text[from..to]).0))
    }

    fn means(&self, word: &str) -> bool {
        let found = stem(word);
        self.meant.iter().any(|meant| *meant == found)
            || self.typed.words.iter().any(|typed| means(typed, word, &found))
    }
}

fn means(typed: &Word, word: &str, found: &str) -> bool {
    typed.stem == found
        || (typed.open && word.starts_with(&typed.text))
        || edits(&typed.stem, found, edits_allowed(&typed.text)).is_some()
}

/// The next place at or after `at` where a word begins or the text ends.
fn boundary(text: &str, at: usize) -> usize {
    if at == 0 {
        return 0;
    }
    let space = text.char_indices().find(|(place, letter)| *place >= at && letter.is_whitespace());
    space.map_or(text.len(), |(place, letter)| place + letter.len_utf8())
}

fn escape(text: &str, to: &mut String) {
    for letter in text.chars() {
        match letter {
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '&' => to.push_str("&amp;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Marker;
    use crate::search::{synonyms::Synonyms, words::Typed};

    fn marked(query: &str, text: &str) -> String {
        Marker::new(&Typed::read(query), &Synonyms::default()).marked(text).0
    }

    #[test]
    fn what_matched_is_marked_and_nothing_is_html_but_that() {
        assert_eq!(marked("lamps", "Red <b>Lamp</b>"), "Red &lt;b&gt;<em>Lamp</em>&lt;/b&gt;");
        assert_eq!(marked("kettel", "Kettle & pot"), "<em>Kettle</em> &amp; pot");
        assert_eq!(marked("elan ke", "ÉLAN kettle"), "<em>ÉLAN</em> <em>kettle</em>");
        assert_eq!(marked("tealight", "A \"mug\""), "A &quot;mug&quot;");
    }
}
