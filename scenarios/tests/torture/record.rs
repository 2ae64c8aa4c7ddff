//! What clients sent and what they were told: the one truth that the log is held against.

use hyper::Method;
use serde_json::Value as Json;
use store::secrets::client_command_id;
use uuid::Uuid;

use crate::{
    http::{Ask, Reply},
    keeper::ACTOR,
};

/// What an accepted command was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub version: i64,
    pub events: Vec<String>,
    pub position: i64,
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub code: Option<String>,
    pub receipt: Option<Receipt>,
    pub replayed: bool,
}

/// What an answer promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It happened, just so.
    Done(Receipt),
    /// It happened; what is told is how things went on.
    Accepted,
    /// The aggregate said no, for good.
    Refused(String),
    /// It was not even tried: the same key may come again.
    NotTried(String),
    /// Something was refused, the command or what followed from it: which is not told.
    Followed,
    /// Nothing is promised: no answer, or one that says to repeat.
    Nothing,
}

/// How a command was sent.
#[derive(Clone, Debug)]
pub enum Way {
    /// A line of `POST /v1/commands`, as it was written.
    Line(String),
    /// A request of its own; `settles` when its answer tells of what follows, not of the command.
    Request { ask: Ask, settles: bool },
}

/// A command that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What its key stands for.
    pub id: Uuid,
    /// The aggregate, where the client chose it.
    pub stream: Option<(&'static str, String)>,
    pub way: Way,
    pub answer: Option<Answer>,
}

/// What a key is good for, as the documentation says: principal, method, route and path parameters.
fn scope(method: &Method, route: &str, params: &[(&str, &str)]) -> String {
    serde_json::to_string(&(method.as_str(), route, params)).unwrap()
}

impl Sent {
    /// A line for an aggregate.
    pub fn line(
        aggregate_type: &'static str,
        id: &str,
        key: &str,
        command: &Json,
        expected: Option<i64>,
    ) -> Self {
        let mut line = serde_json::json!({
            "key": key, "aggregate_type": aggregate_type, "aggregate_id": id, "command": command,
        });
        if let Some(expected) = expected {
            line["expected_version"] = expected.into();
        }
        let bulk = scope(&Method::POST, "/v1/commands", &[]);
        let scope = serde_json::to_string(&(bulk, [aggregate_type, id])).unwrap();
        Self {
            id: client_command_id(ACTOR, &scope, key),
            stream: Some((aggregate_type, id.to_owned())),
            way: Way::Line(line.to_string()),
            answer: None,
        }
    }

    /// A request for a route, whose one parameter is `id`.
    pub fn request(route: &str, id: Option<&str>, key: &str, body: &Json, settles: bool) -> Self {
        let params: Vec<_> = id.iter().map(|id| ("id", *id)).collect();
        let ask = Ask {
            method: Method::POST,
            path: id.map_or_else(|| route.to_owned(), |id| route.replace("{id}", id)),
            key: Some(key.to_owned()),
            body: body.to_string(),
        };
        let id = client_command_id(ACTOR, &scope(&Method::POST, route, &params), key);
        Self { id, stream: None, way: Way::Request { ask, settles }, answer: None }
    }

    /// What the answer promises.
    pub fn told(&self) -> Told {
        self.answer.as_ref().map_or(Told::Nothing, |answer| self.means(answer))
    }

    /// What an answer to this command promises.
    pub fn means(&self, answer: &Answer) -> Told {
        let settles = matches!(self.way, Way::Request { settles: true, .. });
        match (&answer.code, &answer.receipt) {
            _ if answer.status >= 500 => Told::Nothing,
            (Some(code), _) if code == "idempotency.in_flight" => Told::Nothing,
            (Some(_), _) if settles => Told::Followed,
            (Some(code), _) if is_of_the_domain(code) => Told::Refused(code.clone()),
            (Some(code), _) => Told::NotTried(code.clone()),
            (None, Some(receipt)) if !settles => Told::Done(receipt.clone()),
            (None, _) => Told::Accepted,
        }
    }
}

/// Refusals of aggregates are remembered; those of the edge are not.
fn is_of_the_domain(code: &str) -> bool {
    let at_the_edge = ["product.unknown_sku", "product.not_found", "cart.not_found"];
    ["cart.", "inventory.", "product."].iter().any(|area| code.starts_with(area))
        && !at_the_edge.contains(&code)
}

impl Answer {
    /// A line of a bulk answer.
    pub fn of_line(line: &Json) -> Self {
        let status = line["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap();
        Self { status, replayed: line["replayed"] == true, ..Self::of_body(status, line) }
    }

    /// The answer to a request of its own; `None` unless it is complete.
    pub fn of_reply(reply: &Reply) -> Option<Self> {
        if !reply.whole {
            return None;
        }
        let body = serde_json::from_slice(&reply.body).unwrap_or(Json::Null);
        Some(Self { replayed: reply.replayed, ..Self::of_body(reply.status, &body) })
    }

    fn of_body(status: u16, body: &Json) -> Self {
        let receipt = || {
            let events = body["events"].as_array()?.iter().filter_map(Json::as_str).map(str::to_owned);
            let (version, position) = (body["version"].as_i64()?, body["position"].as_i64()?);
            Some(Receipt { version, events: events.collect(), position })
        };
        let code = body["code"].as_str().map(str::to_owned);
        Self { status, receipt: if code.is_some() { None } else { receipt() }, code, replayed: false }
    }
}

/// The complete lines of a bulk answer: a cut-off one is none.
pub fn complete_lines(body: &[u8]) -> Vec<Json> {
    let end = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let text = std::str::from_utf8(&body[..end]).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, number) in lines.iter().zip(1..) {
        assert_eq!(line["line"], number, "answers come in the order of the lines");
    }
    lines
}
