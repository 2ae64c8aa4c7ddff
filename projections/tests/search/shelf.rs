//! Products to search in, and short ways to ask.

use std::sync::Arc;

use domain::value::Text;
use projections::search::{Change, Document, Hits, Index, Marker, ProductQuery, Sort, Values};
use uuid::Uuid;

/// The read model as it is at a position.
pub fn at(position: i64) -> Marker {
    Marker {
        format: 1,
        life: "one".to_owned(),
        incarnation: Some(Uuid::from_u128(7)),
        position,
        aside: Vec::new(),
    }
}

pub fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

/// A product of no brand and no category at 10.00.
pub fn product(listed_at: i64, title: &str) -> Document {
    Document {
        listed_at,
        title: title.to_owned(),
        description: None,
        brand: None,
        category: Vec::new(),
        names: vec![format!("SKU-{listed_at}")],
        values: Values { price: 1_000, ..Values::default() },
    }
}

/// A change of one product's values.
pub fn change(document: &Document, to: impl FnOnce(&mut Values)) -> Change {
    let mut values = document.values;
    to(&mut values);
    Change { listed_at: document.listed_at, values }
}

/// Lets the index hold these and nothing else.
pub async fn fill(index: &Arc<dyn Index>, documents: &[Document], marker: Marker) {
    let mut filling = index.fill(&marker).await.unwrap();
    for chunk in documents.chunks(500) {
        filling.add(chunk.to_vec()).await.unwrap();
    }
    filling.finish(marker).await.unwrap();
}

pub fn all() -> ProductQuery {
    ProductQuery { limit: 100, ..ProductQuery::default() }
}

pub fn words(words: &str) -> ProductQuery {
    ProductQuery { text: Some(words.to_owned()), ..all() }
}

pub fn sorted(sort: Sort) -> ProductQuery {
    ProductQuery { sort, ..all() }
}

pub async fn hits(index: &Arc<dyn Index>, query: &ProductQuery) -> Hits {
    index.find(query).await.unwrap()
}

/// Asks, and compares the whole answer.
#[track_caller]
pub fn expect(
    index: &Arc<dyn Index>,
    query: ProductQuery,
    expected: &[i64],
) -> impl Future<Output = ()> + use<> {
    let (index, expected, place) = (Arc::clone(index), expected.to_vec(), std::panic::Location::caller());
    async move {
        let found = hits(&index, &query).await.listed_at;
        assert_eq!(found, expected, "{:?} at {place}", query.text);
    }
}
