//! The events that belong to a history, found in the log.

use std::collections::BTreeSet;

use domain::{AggregateType, AnyEvent, order};
use serde_json::Value as Json;
use store::{
    json::ToJson as _,
    log::{Log, LogError, Recorded, StreamId},
};

/// What a history is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An order, with everything that belongs to it.
    Order(String),
    /// Streams, each from its beginning.
    Streams(Vec<StreamId>),
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log cannot be read, or an event of it cannot be understood.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is no such stream.
    #[error("nothing has happened to {0}")]
    Nothing(StreamId),
}

/// The events of a history, in the order of the log.
///
/// # Errors
/// When one of the streams is empty, or the log cannot be read.
pub async fn load(log: &dyn Log, wanted: &Wanted) -> Result<Vec<Recorded>, LoadError> {
    let mut recorded = match wanted {
        Wanted::Order(id) => order_and_all(log, id).await?,
        Wanted::Streams(streams) => {
            let mut all = vec![];
            for stream in streams {
                let events = events(log, stream).await?;
                if events.is_empty() {
                    return Err(LoadError::Nothing(stream.clone()));
                }
                all.extend(events);
            }
            all
        }
    };
    recorded.sort_by_key(|recorded| recorded.position);
    recorded.dedup_by_key(|recorded| recorded.position);
    Ok(recorded)
}

async fn events(log: &dyn Log, stream: &StreamId) -> Result<Vec<Recorded>, LoadError> {
    Ok(log.recorded(stream, 0).await?)
}

/// An order's own stream and those that carry its id, its cart and its payments; of the stock and of the invoice book
/// what concerns it.
async fn order_and_all(log: &dyn Log, id: &str) -> Result<Vec<Recorded>, LoadError> {
    let order = StreamId::new(AggregateType::Order, id);
    let mut all = events(log, &order).await?;
    if all.is_empty() {
        return Err(LoadError::Nothing(order));
    }
    for aggregate_type in [AggregateType::Checkout, AggregateType::Fulfilment] {
        all.extend(events(log, &StreamId::new(aggregate_type, id)).await?);
    }
    let named = |name: &str| {
        let mut found = BTreeSet::new();
        for event in all.iter().flat_map(|recorded| &recorded.events) {
            collect(&event.to_json_value().unwrap_or_default(), name, &mut found);
        }
        found
    };
    let (carts, payments, skus) = (named("cart"), named("payment"), named("sku"));
    let books: BTreeSet<_> = all.iter().flat_map(|recorded| &recorded.events).filter_map(book).collect();
    let whole = [(AggregateType::Cart, carts), (AggregateType::Payment, payments)];
    for (aggregate_type, ids) in whole {
        for id in ids {
            all.extend(events(log, &StreamId::new(aggregate_type, &id)).await?);
        }
    }
    for (aggregate_type, ids) in [(AggregateType::InventoryItem, skus), (AggregateType::InvoiceBook, books)] {
        for stream in ids {
            let events = events(log, &StreamId::new(aggregate_type, &stream)).await?;
            all.extend(events.into_iter().filter(|recorded| concerns(recorded, id)));
        }
    }
    Ok(all)
}

/// The year of whose invoice book an event tells.
fn book(event: &AnyEvent) -> Option<String> {
    match event {
        AnyEvent::Order(order::Event::Invoiced { year, .. }) => Some(year.to_string()),
        _ => None,
    }
}

fn concerns(recorded: &Recorded, id: &str) -> bool {
    fn says(value: &Json, id: &str) -> bool {
        match value {
            Json::String(text) => text == id,
            Json::Array(values) => values.iter().any(|value| says(value, id)),
            Json::Object(fields) => fields.values().any(|value| says(value, id)),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
    recorded.events.iter().any(|event| says(&event.to_json_value().unwrap_or_default(), id))
}

/// Every text that stands under a name, at any depth.
fn collect(value: &Json, name: &str, found: &mut BTreeSet<String>) {
    match value {
        Json::Object(fields) => {
            for (field, value) in fields {
                match value {
                    Json::String(text) if field == name => drop(found.insert(text.clone())),
                    value => collect(value, name, found),
                }
            }
        }
        Json::Array(values) => values.iter().for_each(|value| collect(value, name, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
