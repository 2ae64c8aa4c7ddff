//! Marks in a text what matched, whatever engine found it.

use std::{cell::RefCell, collections::HashMap};

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
    /// Words that were judged already: a page of long descriptions has most of its words many times.
    judged: RefCell<HashMap<String, bool>>,
}

impl<'q> Marker<'q> {
    pub fn new(typed: &'q Typed, synonyms: &Synonyms) -> Self {
        let mut meant: Vec<String> = typed.phrases.iter().flatten().cloned().collect();
        meant.extend(synonyms.of(&typed.words).into_iter().flat_map(|(_, stems)| stems.iter().cloned()));
        for pair in typed.words.windows(2) {
            meant.push(stem(&format!("{}{}", pair[0].text, pair[1].text)).into_owned());
        }
        Self { typed, meant, judged: RefCell::default() }
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
        let first = tokens(text).into_iter().find(|token| self.means(&token.text))?.place;
        let from = begin(text, first.start);
        let to = end(text, (from + SHOWN).max(first.end));
        let (before, after) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
        Some(format!("{before}{}{after}", self.marked(&text[from..to]).0))
    }

    fn means(&self, word: &str) -> bool {
        if let Some(judged) = self.judged.borrow().get(word) {
            return *judged;
        }
        let means = self.means_anew(word);
        self.judged.borrow_mut().insert(word.to_owned(), means);
        means
    }

    fn means_anew(&self, word: &str) -> bool {
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

/// Where what is shown before a match begins: with a word, if one begins there.
fn begin(text: &str, shown: usize) -> usize {
    let Some(at) = shown.checked_sub(SHOWN / 4).filter(|at| *at > 0) else { return 0 };
    let at = letter_at(text, at);
    behind_space(&text[at..shown]).map_or(at, |behind| at + behind)
}

/// Where it ends, at `at` or a bit later: with a word, if one ends there.
fn end(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    let (at, last) = (letter_at(text, at), letter_at(text, (at + SHOWN / 4).min(text.len())));
    let whole = if last == text.len() { last } else { at };
    behind_space(&text[at..last]).map_or(whole, |behind| at + behind)
}

/// Behind the first space.
fn behind_space(text: &str) -> Option<usize> {
    let space = text.char_indices().find(|(_, letter)| letter.is_whitespace());
    space.map(|(place, letter)| place + letter.len_utf8())
}

/// Where the letter begins that the byte belongs to.
fn letter_at(text: &str, byte: usize) -> usize {
    (0..=byte).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
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

    fn excerpt(query: &str, text: &str) -> String {
        Marker::new(&Typed::read(query), &Synonyms::default()).excerpt(text).unwrap_or_default()
    }

    #[test]
    fn an_excerpt_shows_the_match_where_there_are_no_spaces() {
        let joined = format!("{}-lamp-{}", "shade".repeat(20), "shade".repeat(90));
        let shown = excerpt("lamp", &joined);
        assert!(shown.contains("<em>lamp</em>") && shown.len() < 400, "{shown}");
        let japanese = format!("{}。lamp。{}", "灯籠".repeat(60), "灯籠".repeat(300));
        let shown = excerpt("lamp", &japanese);
        assert!(shown.contains("<em>lamp</em>") && shown.len() < 400, "{shown}");
        let words = format!("{}lamp{}", "shade ".repeat(20), " shade".repeat(90));
        let shown = excerpt("lamp", &words);
        assert!(
            shown.starts_with("…shade ") && shown.ends_with('…') && shown.contains("<em>lamp</em>"),
            "{shown}"
        );
    }
}
