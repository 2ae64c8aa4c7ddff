//! Search over products: an index beside the read models, kept at their end, in this process or in a Meilisearch.

mod cache;
mod door;
mod embedded;
mod facets;
mod follow;
mod highlight;
mod index;
mod meili;
mod query;
mod source;
mod synonyms;
mod words;

pub use door::Search;
pub(crate) use door::{NoSearch, door};
pub use embedded::Embedded;
pub use follow::{Followed, follow};
pub use index::{
    BANDS, COMPLETIONS_MAX, Change, Document, FACET_VALUES_MAX, Filling, Hits, Index, IndexError, Marker,
    Moved, Values,
};
pub use meili::Meili;
pub use query::{
    Band, Counted, FacetSet, Facets, Found, Highlight, Place, ProductQuery, Results, Sort, Suggested,
    Suggestions,
};
pub use synonyms::{Synonyms, SynonymsError};
