//! The event log on Postgres, the executor that writes it, and everything that follows it.

pub mod archive;
pub mod bridge;
pub mod broker;
pub mod census;
pub mod embedded;
pub mod engine;
pub mod executor;
pub mod feed;
pub mod follow;
pub mod forgetting;
pub mod gateway;
pub mod history;
pub mod json;
pub mod lives;
pub mod log;
pub mod managers;
pub mod outage;
pub mod ports;
pub mod relay;
pub mod rfc3339;
pub mod schema;
pub mod secrets;
#[cfg(feature = "testing")]
pub mod testing;
mod together;
pub mod trace;
pub mod transaction;
pub mod upcast;
pub mod vault;
pub mod verify;
