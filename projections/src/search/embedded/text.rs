//! The text as tantivy keeps it: which fields, and how a document is written.

use std::collections::BTreeSet;

use tantivy::{
    TantivyDocument, TantivyError, Term,
    schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
    tokenizer::{PreTokenizedString, Token},
};

use crate::search::{
    index::{Document, IndexError},
    words::{terms, tokens},
};

/// The field that says which product a document is.
pub(super) const LISTED_AT: &str = "listed_at";

/// What a match in each field is worth, of a thousand: title, then brand, category, SKUs and variants, then description.
pub(super) const WORTH: [u32; 3] = [1_000, 600, 250];

/// The fields of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub listed_at: Field,
    /// As [`WORTH`] has them: every word, with its places.
    pub texts: [Field; 3],
    /// As [`WORTH`] has them: a word is only where it is worth most, so that a product is looked at once for it.
    pub best: [Field; 3],
    /// The title's words as they are written: what somebody who types may be offered.
    pub written: Field,
}

/// How many fields have words.
pub(super) const PIECES: usize = 6;

impl Fields {
    /// As [`pieces`] has them, and whether a field knows the places of its words.
    pub fn all(self) -> [(Field, bool); PIECES] {
        let [title, names, description] = self.texts;
        let [_, names_only, description_only] = self.best;
        [
            (title, true),
            (names, true),
            (description, true),
            (self.written, false),
            (names_only, false),
            (description_only, false),
        ]
    }
}

/// The schema, and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let text = |option| {
        let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false);
        TextOptions::default().set_indexing_options(indexing.set_index_option(option))
    };
    let placed = text(IndexRecordOption::WithFreqsAndPositions);
    let placeless = text(IndexRecordOption::Basic);
    let title = schema.add_text_field("title", placed.clone());
    let fields = Fields {
        listed_at: schema.add_i64_field(LISTED_AT, FAST | INDEXED),
        texts: [
            title,
            schema.add_text_field("names", placed.clone()),
            schema.add_text_field("description", placed),
        ],
        best: [
            title,
            schema.add_text_field("names_only", placeless.clone()),
            schema.add_text_field("description_only", placeless.clone()),
        ],
        written: schema.add_text_field("written", placeless),
    };
    (schema.build(), fields)
}

/// A product's text as a document.
pub(super) fn document(fields: Fields, document: &Document) -> TantivyDocument {
    let mut written = TantivyDocument::new();
    written.add_i64(fields.listed_at, document.listed_at);
    for ((field, _), terms) in fields.all().into_iter().zip(pieces(document)) {
        if !terms.is_empty() {
            written.add_pre_tokenized_text(field, tokenized(terms));
        }
    }
    written
}

/// What each field holds of a product, with its places: the three texts, the title's words as they are written, and the words
/// of the second and the third text that stand in none before it. Where places are not known, all are 0.
pub(super) fn pieces(document: &Document) -> [Vec<(usize, String)>; PIECES] {
    let names = document.brand.iter().chain(&document.category).chain(&document.names);
    let names = names.map(String::as_str).collect::<Vec<_>>().join(" \n ");
    let description = document.description.as_deref().unwrap_or_default();
    let [title, names, description] = [&document.title, &names, description].map(terms);
    let mut known: BTreeSet<&str> = title.iter().map(|(_, word)| word.as_str()).collect();
    let names_only = only(&names, &mut known);
    let description_only = only(&description, &mut known);
    let written: BTreeSet<String> = tokens(&document.title).into_iter().map(|token| token.text).collect();
    let written = written.into_iter().map(|word| (0, word)).collect();
    [title, names, description, written, names_only, description_only]
}

/// The words that are not known yet.
fn only<'t>(text: &'t [(usize, String)], known: &mut BTreeSet<&'t str>) -> Vec<(usize, String)> {
    text.iter().filter(|(_, word)| known.insert(word)).map(|(_, word)| (0, word.clone())).collect()
}

fn tokenized(terms: Vec<(usize, String)>) -> PreTokenizedString {
    let token = |(position, text)| Token { position, text, ..Token::default() };
    PreTokenizedString { text: String::new(), tokens: terms.into_iter().map(token).collect() }
}

/// A stem in a field.
pub(super) fn term(field: Field, stem: &str) -> Term {
    Term::from_field_text(field, stem)
}

impl From<TantivyError> for IndexError {
    fn from(error: TantivyError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for IndexError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
