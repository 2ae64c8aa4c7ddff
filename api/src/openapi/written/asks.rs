//! What a handler takes, told by its signature: every extractor says which part of the description it stands for.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap};
use domain::value::{
    CartId, EditId, OrderId, PaymentId, ProductId, ReservationId, ReturnId, ShipmentId, Sku, SubjectId,
};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{operation::Operation, schemas::Schemas};
use crate::{
    Principal, Shop,
    extract::{Json, OptionalJson, Path, Query, Raw},
    freshness::{Freshness, Wait},
    idempotency::Call,
    identity::Origin,
    principal::Member,
    tags::Conditions,
};

/// Something that is taken out of a request.
pub trait Asks {
    /// Adds to the description what is taken.
    fn asks(operation: &mut Operation);
}

/// A handler, with what it takes.
pub trait Handles<Args> {
    /// Adds to the description what it takes.
    fn asks(operation: &mut Operation);
}

macro_rules! handles {
    ($($arg:ident)*) => {
        impl<Handler, Answer, $($arg: Asks),*> Handles<($($arg,)*)> for Handler
        where
            Handler: Fn($($arg),*) -> Answer,
        {
            fn asks(operation: &mut Operation) {
                $($arg::asks(operation);)*
                let _ = operation;
            }
        }
    };
}
handles!();
handles!(A);
handles!(A B);
handles!(A B C);
handles!(A B C D);
handles!(A B C D E);

/// What reading a JSON body may come to.
const BODY: &[&str] = &[
    "request.malformed",
    "request.invalid",
    "request.unsupported_media_type",
    "request.too_large",
    "request.timeout",
    "payment.card_number",
];

fn body<T: ToSchema>(operation: &mut Operation, required: bool) {
    let schema = operation.schemas.of::<T>();
    operation.body =
        Some(json!({ "required": required, "content": { "application/json": { "schema": schema } } }));
    operation.may(BODY);
}

impl<T: ToSchema> Asks for Json<T> {
    fn asks(operation: &mut Operation) {
        body::<T>(operation, true);
    }
}

impl<T: ToSchema> Asks for OptionalJson<T> {
    fn asks(operation: &mut Operation) {
        body::<T>(operation, false);
    }
}

/// The operation itself says what the body is.
impl<const MAX: usize> Asks for Raw<MAX> {
    fn asks(operation: &mut Operation) {
        operation.may(&[
            "request.malformed",
            "request.unsupported_media_type",
            "request.too_large",
            "request.timeout",
        ]);
    }
}

/// The parameters of a path, in their order.
pub trait InPath {
    /// Their schemas.
    fn schemas(schemas: &mut Schemas) -> Vec<Value>;
}

macro_rules! in_path {
    ($($name:ty)*) => {$(
        impl InPath for $name {
            fn schemas(schemas: &mut Schemas) -> Vec<Value> {
                vec![schemas.of::<$name>()]
            }
        }
    )*};
}
in_path!(CartId EditId OrderId PaymentId ProductId ReservationId ReturnId ShipmentId Sku String SubjectId);

impl InPath for Uuid {
    fn schemas(_: &mut Schemas) -> Vec<Value> {
        vec![json!({ "type": "string", "format": "uuid" })]
    }
}

impl<A: InPath, B: InPath> InPath for (A, B) {
    fn schemas(schemas: &mut Schemas) -> Vec<Value> {
        [A::schemas(schemas), B::schemas(schemas)].concat()
    }
}

impl<T: InPath> Asks for Path<T> {
    fn asks(operation: &mut Operation) {
        let names: Vec<String> = operation.path_parameters();
        let schemas = T::schemas(&mut operation.schemas);
        assert_eq!(names.len(), schemas.len(), "{}", operation.path);
        for (name, schema) in names.into_iter().zip(schemas) {
            let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
            operation.parameters.push(parameter);
        }
        operation.may(&["request.invalid"]);
    }
}

impl<T: ToSchema> Asks for Query<T> {
    fn asks(operation: &mut Operation) {
        for (name, mut schema, required) in operation.schemas.members::<T>() {
            let mut parameter = json!({ "name": name, "in": "query", "required": required });
            // What a schema says of a parameter is said of the parameter.
            if let Some(description) = schema.as_object_mut().and_then(|schema| schema.remove("description"))
            {
                parameter["description"] = description;
            }
            parameter["schema"] = schema;
            operation.parameters.push(parameter);
        }
        operation.may(&["request.invalid"]);
    }
}

impl Asks for Freshness {
    fn asks(operation: &mut Operation) {
        operation.takes(&["MinPosition", "PreferWait"]);
        operation.may(&[
            "position.malformed",
            "position.other_log",
            "read_model.behind",
            "read_model.parked",
        ]);
    }
}

impl Asks for Wait {
    fn asks(operation: &mut Operation) {
        operation.takes(&["PreferWait"]);
    }
}

impl Asks for Conditions {
    fn asks(operation: &mut Operation) {
        operation.takes(&["IfMatch", "IfNoneMatch"]);
        operation.may(&["precondition.malformed", "precondition.failed"]);
    }
}

impl Asks for Call {
    fn asks(operation: &mut Operation) {
        operation.takes(&["IdempotencyKey", "IfVersion"]);
        operation.may(&[
            "idempotency.key_invalid",
            "idempotency.key_reused",
            "idempotency.in_flight",
            "precondition.malformed",
            "precondition.failed",
            "store.overloaded",
        ]);
    }
}

/// Where it comes from is not for the client to say.
impl Asks for Origin {
    fn asks(operation: &mut Operation) {
        operation.may(&["auth.throttled"]);
    }
}

macro_rules! silent {
    ($($silent:ty)*) => {$(
        impl Asks for $silent {
            fn asks(_: &mut Operation) {}
        }
    )*};
}
silent!(State<Arc<Shop>> HeaderMap Principal Member);
