//! One route and method as the description has it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    asks::Handles,
    parts::{header, parameter},
    schemas::Schemas,
};
use crate::codes;

/// One route and method.
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: String,
    pub summary: &'static str,
    pub description: &'static str,
    pub parameters: Vec<Value>,
    pub body: Option<Value>,
    /// Answers that are no problems.
    pub answers: BTreeMap<u16, Value>,
    pub codes: BTreeSet<&'static str>,
    pub schemas: Schemas,
}

/// What a query's answer says about itself.
const QUERIED: &[&str] = &["Position", "StaleSince", "CacheControl", "Vary"];

/// A route that is read.
pub fn get<Args>(path: &'static str, handler: impl Handles<Args>, summary: &'static str) -> Operation {
    Operation::new("GET", path, handler, summary)
}

/// A route that something is sent to.
pub fn post<Args>(path: &'static str, handler: impl Handles<Args>, summary: &'static str) -> Operation {
    Operation::new("POST", path, handler, summary)
}

/// A route that something is set by.
pub fn put<Args>(path: &'static str, handler: impl Handles<Args>, summary: &'static str) -> Operation {
    Operation::new("PUT", path, handler, summary)
}

/// A route that something is changed by.
pub fn patch<Args>(path: &'static str, handler: impl Handles<Args>, summary: &'static str) -> Operation {
    Operation::new("PATCH", path, handler, summary)
}

/// A route that something is removed by.
pub fn delete<Args>(path: &'static str, handler: impl Handles<Args>, summary: &'static str) -> Operation {
    Operation::new("DELETE", path, handler, summary)
}

/// `api::orders::review::hold` is `orders_review_hold`.
fn named<T>(_: &T) -> String {
    let mut parts: Vec<&str> = std::any::type_name::<T>().split("::").skip(1).collect();
    parts.dedup();
    parts.join("_")
}

impl Operation {
    fn new<Args, H: Handles<Args>>(
        method: &'static str,
        path: &'static str,
        handler: H,
        summary: &'static str,
    ) -> Self {
        let mut operation = Self {
            method,
            path,
            id: named(&handler),
            summary,
            description: "",
            parameters: vec![],
            body: None,
            answers: BTreeMap::new(),
            codes: BTreeSet::new(),
            schemas: Schemas::default(),
        };
        H::asks(&mut operation);
        operation
    }

    /// What there is to say beside the summary.
    pub fn more(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The names in the path.
    pub fn path_parameters(&self) -> Vec<String> {
        let inside = |part: &str| part.strip_prefix('{')?.strip_suffix('}').map(str::to_owned);
        self.path.split('/').filter_map(inside).collect()
    }

    /// Takes headers.
    pub fn takes(&mut self, headers: &[&str]) {
        self.parameters.extend(headers.iter().map(|name| parameter(name)));
    }

    /// May end with one of these codes.
    pub fn may(&mut self, codes: &[&'static str]) {
        self.codes.extend(codes);
    }

    /// Refuses with these codes.
    pub fn refuses(mut self, codes: &[&'static str]) -> Self {
        self.may(codes);
        self
    }

    /// Takes headers that no extractor stands for.
    pub fn with_headers(mut self, headers: &[&str]) -> Self {
        self.takes(headers);
        self
    }

    /// An `Idempotency-Key` is not only taken, but required.
    pub fn keyed(mut self) -> Self {
        self.parameters.retain(|parameter| !parameter["$ref"].to_string().contains("IdempotencyKey"));
        self.takes(&["RequiredIdempotencyKey"]);
        self.refuses(&["idempotency.key_missing"])
    }

    /// What somebody may send, for whoever tries it.
    pub fn example(mut self, example: Value) -> Self {
        if let Some(body) = &mut self.body {
            body["content"]["application/json"]["example"] = example;
        }
        self
    }

    /// What is sent, where it is not JSON that an extractor reads.
    pub fn body(mut self, kind: &str, schema: Value, example: Value) -> Self {
        let content = json!({ kind: { "schema": schema, "example": example } });
        self.body = Some(json!({ "required": true, "content": content }));
        self
    }

    fn says(mut self, status: u16, what: &str, headers: &[&str], content: Option<Value>) -> Self {
        let headers: serde_json::Map<String, Value> = headers.iter().map(|name| header(name)).collect();
        let mut answer = json!({ "description": what, "headers": headers });
        if let Some(content) = content {
            answer["content"] = content;
        }
        self.answers.insert(status, answer);
        self
    }

    fn json_of(schema: Value) -> Option<Value> {
        Some(json!({ "application/json": { "schema": schema } }))
    }

    /// An answer with a JSON body.
    pub fn answers<T: ToSchema>(mut self, status: u16, what: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.says(status, what, &["CacheControl"], Self::json_of(schema))
    }

    /// The same with a schema of its own.
    pub fn answers_with(self, status: u16, what: &str, schema: Value) -> Self {
        self.says(status, what, &["CacheControl"], Self::json_of(schema))
    }

    /// An answer without a body.
    pub fn answers_nothing(self, status: u16, what: &str) -> Self {
        self.says(status, what, &[], None)
    }

    /// An answer that is no JSON.
    pub fn answers_in(self, status: u16, what: &str, headers: &[&str], content: Value) -> Self {
        self.says(status, what, headers, Some(content))
    }

    /// Something that changes with the program only.
    pub fn file(self, what: &str, content: Value) -> Self {
        let headers = ["CacheControl", "ETag"];
        self.says(304, "The client has it already.", &headers, None).says(200, what, &headers, Some(content))
    }

    /// What a query answers that is no page of one thing.
    pub fn queried<T: ToSchema>(mut self, what: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.says(200, what, QUERIED, Self::json_of(schema))
    }

    /// The same with a schema of its own.
    pub fn queried_with(self, what: &str, schema: Value) -> Self {
        self.says(200, what, QUERIED, Self::json_of(schema))
    }

    /// A page of one thing, under its tag.
    pub fn page<T: ToSchema>(mut self, what: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.page_with(what, schema)
    }

    /// The same with a schema of its own.
    pub fn page_with(self, what: &str, schema: Value) -> Self {
        let headers = [QUERIED, &["ETag"]].concat();
        self.says(304, "The client has this page already.", &headers, None).says(
            200,
            what,
            &headers,
            Self::json_of(schema),
        )
    }

    /// A page of a list.
    pub fn list<T: ToSchema>(mut self, what: &str) -> Self {
        let entry = self.schemas.of::<T>();
        self.queried_with(what, list_of(&entry))
    }

    /// A page of a list that is no read model's.
    pub fn plain_list<T: ToSchema>(mut self, what: &str) -> Self {
        let entry = self.schemas.of::<T>();
        self.answers_with(200, what, list_of(&entry))
    }

    /// What a command answers.
    pub fn done<T: ToSchema>(mut self, status: u16, what: &str) -> Self {
        let schema = self.schemas.of::<T>();
        let mut headers = vec!["Position", "ETag", "Replayed"];
        match status {
            201 => headers.push("Location"),
            202 => headers.push("LocationIfAny"),
            _ => {}
        }
        self.says(status, what, &headers, Self::json_of(schema))
    }

    /// What was made answers with itself, and says where it is.
    pub fn done_with_location<T: ToSchema>(mut self, what: &str) -> Self {
        let schema = self.schemas.of::<T>();
        self.says(201, what, &["CacheControl", "Location"], Self::json_of(schema))
    }

    /// The same with a schema of its own, and maybe for the second time.
    pub fn created_with(self, what: &str, schema: Value) -> Self {
        self.says(201, what, &["CacheControl", "Location", "Replayed"], Self::json_of(schema))
    }

    /// What it says of problems, by status, `codes` first sorted.
    pub fn problems(&self) -> BTreeMap<u16, Vec<codes::Code>> {
        let mut by_status: BTreeMap<u16, Vec<codes::Code>> = BTreeMap::new();
        for code in &self.codes {
            let known = codes::CODES.iter().find(|known| known.code == *code);
            let known =
                known.unwrap_or_else(|| panic!("{} {}: there is no code {code}", self.method, self.path));
            by_status.entry(known.status.as_u16()).or_default().push(*known);
        }
        by_status
    }
}

/// Some entries of a list.
pub fn list_of(entry: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["data", "next_cursor", "has_more"],
        "properties": {
            "data": { "type": "array", "items": entry },
            "next_cursor": { "type": ["string", "null"], "description": "Where the next page begins, if there is one." },
            "has_more": { "type": "boolean", "description": "Whether there is a next page." },
        },
    })
}
