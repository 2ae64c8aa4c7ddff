//! What each event makes of a product's rows.

use domain::{
    product::{Event, Listing, Variant},
    value::Text,
};
use store::{
    follow::ApplyError,
    log::{Position, Sequence},
};

use crate::{
    batch::{At, Versioned},
    rows::text,
};

/// A product's row: what changes, and its listing if that happened in this very batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub listed: Option<Box<Listed>>,
    pub variants: Vec<Variant>,
    pub version: Sequence,
    pub position: Position,
}

/// What a product was listed with: it never changes, so it is written once and not read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub title: Text,
    pub description: Option<Text>,
    pub brand: Option<Text>,
    /// Arrays as JSON: Postgres unnests arrays of arrays to the ground.
    pub category: String,
    pub images: String,
    pub words: Words,
    pub at: Position,
}

/// What can be searched for, the weightier the earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub title: String,
    pub kind: String,
    pub description: String,
}

/// The row after one more event.
pub(super) fn apply(row: Option<Row>, event: &Event, at: At) -> Result<Row, ApplyError> {
    let version = at.after(row.as_ref().map(|row| row.version))?;
    let position = at.position;
    match (row, event) {
        (None, Event::Listed(listing)) => Ok(Row {
            listed: Some(Box::new(listed(listing, position)?)),
            variants: listing.variants.clone(),
            version,
            position,
        }),
        (Some(mut row), Event::PriceChanged { sku, new, .. }) => {
            for variant in row.variants.iter_mut().filter(|variant| variant.sku == *sku) {
                variant.price = *new;
            }
            Ok(Row { version, position, ..row })
        }
        (None, Event::PriceChanged { .. }) => {
            Err(ApplyError::Poison("the product was never listed".to_owned()))
        }
        (Some(_), Event::Listed(_)) => Err(ApplyError::Poison("the product was listed before".to_owned())),
    }
}

impl Versioned for Row {
    fn last(&mut self) -> (&mut Sequence, &mut Position) {
        (&mut self.version, &mut self.position)
    }
}

/// What a cart calls a variant.
pub(super) fn offer_title(product: &str, variant: &Variant) -> String {
    match &variant.title {
        Some(title) => format!("{product}, {title}"),
        None => product.to_owned(),
    }
}

/// Text as it is searched: Postgres itself, in the C collation, would leave letters beyond ASCII as they are.
pub(super) fn folded(text: &str) -> String {
    text.to_lowercase()
}

fn listed(listing: &Listing, at: Position) -> Result<Listed, ApplyError> {
    let variants = listing.variants.iter();
    let kind: Vec<&str> = (listing.brand.iter().map(Text::as_str))
        .chain(listing.category.iter().map(Text::as_str))
        .chain(variants.clone().map(|variant| variant.sku.as_str()))
        .chain(variants.filter_map(|variant| variant.title.as_ref()).map(Text::as_str))
        .collect();
    Ok(Listed {
        title: listing.title.clone(),
        description: listing.description.clone(),
        brand: listing.brand.clone(),
        category: text(&listing.category)?,
        images: text(&listing.images)?,
        words: Words {
            title: folded(listing.title.as_str()),
            kind: folded(&kind.join(" ")),
            description: folded(listing.description.as_ref().map_or("", Text::as_str)),
        },
        at,
    })
}
