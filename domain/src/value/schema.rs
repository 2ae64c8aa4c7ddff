//! What values look like in JSON Schema: the same limits as their constructors have.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type},
    },
};

use super::{Currency, Quantity, Text, Time};

/// The schema of a name: a text that fits a pattern.
macro_rules! text {
    ($name:ident, $kind:literal, $wanted:literal, $pattern:literal) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                super::schema::texts(concat!("A ", $kind, ": ", $wanted, "."), $pattern)
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}
pub(super) use text;

pub(super) fn texts(description: &str, pattern: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    text.description(Some(description)).into()
}

impl PartialSchema for Text {
    fn schema() -> RefOr<Schema> {
        texts("Something other than blanks, without NUL.", r"^[^\u0000]*[^\s\u0000][^\u0000]*$")
    }
}

impl ToSchema for Text {}

impl PartialSchema for Currency {
    fn schema() -> RefOr<Schema> {
        texts("An ISO 4217 code.", "^[A-Z]{3}$")
    }
}

impl ToSchema for Currency {}

impl PartialSchema for Quantity {
    fn schema() -> RefOr<Schema> {
        let units = ObjectBuilder::new().schema_type(Type::Integer).description(Some("A number of units."));
        units.minimum(Some(1)).maximum(Some(u32::MAX)).into()
    }
}

impl ToSchema for Quantity {}

/// As edges and read models write it; in events it is a number of milliseconds.
impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let moment = ObjectBuilder::new().schema_type(Type::String).description(Some("A moment, RFC 3339."));
        moment.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
    }
}

impl ToSchema for Time {}
