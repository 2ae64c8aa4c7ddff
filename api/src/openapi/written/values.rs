//! The schemas of the edge's own values: the same limits as their constructors have.

use domain::value::Text;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type},
    },
};

use crate::{
    Permission, Permissions,
    checkouts::{ADDRESS_LINES_MAX, AddressLines},
    identity::{PASSWORD_CHARS, Password},
    orders::Personal,
    text::{Bounded, Country, Email, Short},
};

impl<const CHARS_MAX: usize> PartialSchema for Bounded<CHARS_MAX> {
    fn schema() -> RefOr<Schema> {
        match Text::schema() {
            RefOr::T(Schema::Object(mut text)) => {
                (text.min_length, text.max_length) = (Some(1), Some(CHARS_MAX));
                RefOr::T(Schema::Object(text))
            }
            other => other,
        }
    }
}

impl<const CHARS_MAX: usize> ToSchema for Bounded<CHARS_MAX> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("Text{CHARS_MAX}").into()
    }
}

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        let text =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[^ @\u0000]+@[^ @\u0000]+$"));
        let text = text.max_length(Some(200));
        text.description(Some("An e-mail address.")).into()
    }
}

impl ToSchema for Email {}

impl PartialSchema for Country {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Z]{2}$"));
        text.description(Some("A country, by ISO 3166-1.")).examples([json!("GB")]).into()
    }
}

impl ToSchema for Country {}

impl PartialSchema for Password {
    fn schema() -> RefOr<Schema> {
        let (least, most) = PASSWORD_CHARS;
        let text =
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(least)).max_length(Some(most));
        text.format(Some(SchemaFormat::KnownFormat(KnownFormat::Password))).into()
    }
}

impl ToSchema for Password {}

impl PartialSchema for Permissions {
    fn schema() -> RefOr<Schema> {
        let names: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        ArrayBuilder::new().items(name).description(Some("What a member of the staff may do.")).into()
    }
}

impl ToSchema for Permissions {}

impl PartialSchema for Personal {
    fn schema() -> RefOr<Schema> {
        let known =
            ObjectBuilder::new().schema_type(Type::Object).description(Some("What the checkout was given."));
        let forgotten = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["forgotten"]));
        OneOfBuilder::new().item(known).item(forgotten).into()
    }
}

impl ToSchema for Personal {}

impl PartialSchema for AddressLines {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new()
            .items(Short::schema())
            .min_items(Some(1))
            .max_items(Some(ADDRESS_LINES_MAX))
            .into()
    }
}

impl ToSchema for AddressLines {}
