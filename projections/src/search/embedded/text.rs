//! The text as tantivy keeps it: which fields, and how a document is written.

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
    /// As [`WORTH`] has them.
    pub texts: [Field; 3],
    /// The title's words as they are written: what somebody who types may be offered.
    pub written: Field,
}

/// The schema, and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = TextOptions::default().set_indexing_options(indexing);
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    let words = TextOptions::default().set_indexing_options(indexing);
    let fields = Fields {
        listed_at: schema.add_i64_field(LISTED_AT, FAST | INDEXED),
        texts: [
            schema.add_text_field("title", text.clone()),
            schema.add_text_field("names", text.clone()),
            schema.add_text_field("description", text),
        ],
        written: schema.add_text_field("written", words),
    };
    (schema.build(), fields)
}

/// A product's text as a document.
pub(super) fn document(fields: Fields, document: &Document) -> TantivyDocument {
    let mut written = TantivyDocument::new();
    written.add_i64(fields.listed_at, document.listed_at);
    let [title, names, description, words] = pieces(document);
    for (field, terms) in fields.texts.into_iter().zip([title, names, description]) {
        if !terms.is_empty() {
            written.add_pre_tokenized_text(field, tokenized(terms));
        }
    }
    written.add_pre_tokenized_text(fields.written, tokenized(words));
    written
}

/// What each field holds of a product, with its places: the texts as [`WORTH`] has them, then the title's words.
pub(super) fn pieces(document: &Document) -> [Vec<(usize, String)>; 4] {
    let names = document.brand.iter().chain(&document.category).chain(&document.names);
    let names = names.map(String::as_str).collect::<Vec<_>>().join(" \n ");
    let description = document.description.as_deref().unwrap_or_default();
    let words = tokens(&document.title).into_iter().map(|token| token.text).enumerate();
    [terms(&document.title), terms(&names), terms(description), words.collect()]
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
