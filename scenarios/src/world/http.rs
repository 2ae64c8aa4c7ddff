//! A whole shop in one process: the store with relay and read models, and the API on a port of its own.
//!
//! What clients may ask goes through the API. What gateways and process managers say is delivered as they deliver it:
//! to the executor, which is not open to clients.

use std::{net::Ipv4Addr, sync::Arc};

use api::{Identity, Member, Principal, Shop, clients::is_for_clients, ingress::listener};
use async_trait::async_trait;
use domain::{
    AnyCommand, AnyEvent, AnyRefusal,
    value::{CustomerId, Time},
};
use hyper::{Method, StatusCode};
use projections::{
    ReadModels,
    search::{Embedded, Synonyms, follow},
};
use serde_json::{Map, Value as Json, json};
use store::json::ToJson as _;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use uuid::Uuid;

use super::{
    Answer, Entry, Stuck, World,
    client::Client,
    clock::Calendar,
    place::{Place, PlaceError},
    store::{StoreWorld, stuck},
};
use crate::{
    bind::{Noun, START},
    steps::Stream,
    vocabulary::untagged,
};

/// A scenario's clock goes on by years.
const TOKEN_LIFETIME_S: i64 = 100 * 365 * 24 * 3_600;

/// Who asks in a scenario: somebody who may do everything.
fn keeper() -> Principal {
    let customer = CustomerId::from(Uuid::nil());
    Principal::Admin(Member { account: Uuid::nil(), session: Uuid::nil(), customer })
}

/// A whole shop.
pub(super) struct HttpWorld {
    store: StoreWorld,
    client: Client,
    server: JoinSet<()>,
}

impl HttpWorld {
    /// Opens on empty tables.
    pub(super) async fn open(place: &Place) -> Result<Self, PlaceError> {
        let calendar = Arc::new(Calendar::new(START));
        let mut engine = place.engine(Arc::clone(&calendar), true).await?;
        engine.relay();
        projections::start(&mut engine, place.read.clone());
        let index = Arc::new(Embedded::in_memory(Synonyms::default()));
        let (followed, following) = follow(index, &engine, place.read.clone());
        let read = ReadModels::new(place.read.clone(), &engine.progress(), Arc::clone(&calendar) as _)
            .with_index(followed, Synonyms::default());
        let (clock, ids) = (Arc::clone(&engine.clock), Arc::clone(&engine.ids));
        let identity = Identity::start(place.edge.clone(), engine.vault.clone(), clock, ids).await?;
        let token = identity.token_for(&keeper(), TOKEN_LIFETIME_S)?.unwrap_or_default();
        let shop = Shop::new(&engine, read, identity, api::Settings::default());
        let keep_pages = shop.keep_pages();
        let front = api::front(shop);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(keep_pages);
        server.spawn(following);
        server.spawn(async move {
            let (_running, stop) = watch::channel(false);
            listener::serve(listener, front, None, stop).await;
        });
        let client = Client::connect(address, &token).await?;
        Ok(Self { store: StoreWorld::on(engine, calendar, place.log.clone()), client, server })
    }

    /// Closes in order.
    pub(super) async fn close(mut self) {
        self.client.close().await;
        self.server.shutdown().await;
        self.store.close().await;
    }

    async fn accepted(&mut self, answer: &Map<String, Json>) -> Result<Answer, Stuck> {
        // It happened already; nothing comes of it again.
        if answer.get("replayed") == Some(&json!(true)) {
            return Ok(Answer::Accepted(vec![]));
        }
        let events = answer.get("events").and_then(Json::as_array).map_or(0, Vec::len);
        let count = i64::try_from(events).unwrap_or(i64::MAX);
        let last = answer.get("position").and_then(Json::as_i64).unwrap_or_default();
        let recorded = match count {
            0 => vec![],
            count => self.store.recorded(last - count, count).await?,
        };
        Ok(Answer::Accepted(recorded.into_iter().flat_map(|recorded| recorded.events).collect()))
    }
}

#[async_trait]
impl World for HttpWorld {
    async fn set_clock(&mut self, now: Time) -> Result<(), Stuck> {
        self.store.set_clock(now).await
    }

    async fn happened(&mut self, stream: &Stream, events: Vec<AnyEvent>) -> Result<(), Stuck> {
        self.store.happened(stream, events).await
    }

    async fn ask(&mut self, command_id: Uuid, stream: &Stream, command: AnyCommand) -> Result<Answer, Stuck> {
        if !is_for_clients(&command) {
            return self.store.ask(command_id, stream, command).await;
        }
        let tagged = command.to_json_value().map_err(stuck)?;
        let line = json!({
            "key": command_id,
            "aggregate_type": stream.aggregate_type.as_str(),
            "aggregate_id": stream.id,
            "command": untagged(tagged).1,
        });
        let headers = [("content-type", "application/x-ndjson")];
        let sent = self.client.send(Method::POST, "/v1/commands", &headers, line.to_string());
        let (status, answer) = sent.await.map_err(stuck)?;
        self.store.stirred = true;
        let Json::Object(answer) = answer else { return Err(stuck(answer)) };
        let code = answer.get("code").and_then(Json::as_str);
        match code {
            None if status == StatusCode::MULTI_STATUS => self.accepted(&answer).await,
            Some(code) if stream.aggregate_type.refusal_codes().contains(&code) => {
                let refusal = refusal(code, &answer).map_err(stuck)?;
                self.store.refused(stream, command, refusal).await
            }
            _ => Err(Stuck(format!("the API answers {status}: {}", Json::Object(answer)))),
        }
    }

    async fn rest(&mut self) -> Result<(), Stuck> {
        self.store.rest().await
    }

    async fn pass(&mut self, ms: i64) -> Result<(), Stuck> {
        self.store.pass(ms).await
    }

    async fn entries(&mut self) -> Result<Vec<Entry>, Stuck> {
        self.store.entries().await
    }

    /// What the API answers, be it a problem: a scenario may expect that nothing is there.
    async fn read(&mut self, (_, path): Noun, id: &str) -> Result<Option<Json>, Stuck> {
        let head = self.store.engine.log.head().await.map_err(stuck)?;
        let token = format!("{}:{}", head.incarnation, head.position);
        let headers = [("daybook-min-position", token.as_str()), ("prefer", "wait=5")];
        let path = path.replace("{id}", &api::segment(id));
        let (status, body) =
            self.client.send(Method::GET, &path, &headers, String::new()).await.map_err(stuck)?;
        if status.is_server_error() {
            return Err(Stuck(format!("GET {path} answers {status}: {body}")));
        }
        Ok(Some(body))
    }
}

/// The refusal that a problem tells of.
fn refusal(code: &str, problem: &Map<String, Json>) -> Result<AnyRefusal, serde_json::Error> {
    let refusal = match problem.get("values") {
        None => json!({"code": code}),
        Some(values) => json!({"code": code, "values": values}),
    };
    store::json::refusal(&refusal.to_string())
}
