//! Search over products: an index beside the read models, kept at their end, in this process or in a Meilisearch.

mod ask;
mod asked;
mod cache;
mod changes;
mod check;
mod compare;
mod desk;
mod door;
mod embedded;
mod facets;
mod follow;
mod highlight;
mod index;
mod meili;
mod moves;
mod presence;
mod query;
mod source;
mod synonyms;
mod words;
mod work;

pub use ask::{Answer, AskError, Patience, State, ask};
pub use asked::{Compared, What};
pub use check::Checked;
pub use door::Search;
pub(crate) use door::{NoSearch, door};
pub use embedded::Embedded;
pub use follow::{Followed, follow};
pub use index::{
    BANDS, Beside, COMPLETIONS_MAX, Change, Document, FACET_VALUES_MAX, Filling, Held, Hits, Index,
    IndexError, Marker, Moved, Reading, Values,
};
pub use meili::Meili;
pub use presence::Process;
pub use query::{
    Band, Counted, FacetSet, Facets, Found, Highlight, Place, ProductQuery, Results, Sort, Suggested,
    Suggestions,
};
pub use synonyms::{Synonyms, SynonymsError};
