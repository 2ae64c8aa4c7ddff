//! Reads what a Meilisearch holds from one end to the other: documents as they were written.

use async_trait::async_trait;
use meilisearch_sdk::documents::{DocumentsQuery, DocumentsResults};
use serde_json::{Map, Value};
use store::log::Position;

use super::{
    Meili,
    documents::{MARKER, document},
};
use crate::search::index::{Document, Held, IndexError, Reading};

/// Documents that are asked for at once.
const PAGE: usize = 1_000;

/// An index that is being read.
pub(super) struct Pages(pub Meili);

#[async_trait]
impl Reading for Pages {
    async fn between(&mut self, after: Position, until: Position) -> Result<Vec<Held>, IndexError> {
        let mut held = self.matching(&format!("listed_at > {after} AND listed_at <= {until}")).await?;
        if until == Position::MAX {
            // What has no listing is the marker, and nothing else may be there.
            let others = self.matching("listed_at NOT EXISTS").await?;
            held.extend(others.into_iter().filter(|other| other.fields.get("id") != Some(&MARKER.into())));
        }
        held.sort_by_key(|held| held.listed_at);
        Ok(held)
    }

    fn of(&self, of: &Document) -> Held {
        let fields = match document(of) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Held { listed_at: of.listed_at, fields }
    }
}

impl Pages {
    async fn matching(&self, filter: &str) -> Result<Vec<Held>, IndexError> {
        let Self(meili) = self;
        let index = meili.client.index(&meili.uid);
        let mut held: Vec<Held> = Vec::new();
        loop {
            let mut query = DocumentsQuery::new(&index);
            query.with_filter(filter).with_limit(PAGE).with_offset(held.len());
            let asked = index.get_documents_with::<Map<String, Value>>(&query);
            let page: DocumentsResults<_> = meili.in_time(asked).await?;
            let got = page.results.len();
            held.extend(page.results.into_iter().map(|fields| {
                let listed_at = fields.get("listed_at").and_then(Value::as_i64).unwrap_or(Position::MAX);
                Held { listed_at, fields }
            }));
            if got < PAGE {
                return Ok(held);
            }
        }
    }
}
