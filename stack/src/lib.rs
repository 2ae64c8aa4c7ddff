//! Knows how to find, start, watch over and stop the real servers (Postgres and NATS) on the local machine.
//!
//! [`Stack::start_or_attach`] is the one way in: whoever comes first to a data directory owns its servers,
//! whoever comes later uses them. The servers never outlive the last process that uses them, however that ends:
//! when the owner goes first, its keeper stops them after the others.
//!
//! ```text
//! <data>/servers/   the installed programs, one folder a version
//! <data>/postgres/  Postgres's data
//! <data>/nats/      JetStream's store
//! <data>/run/       lock, state, guests, secrets, pids and logs; nobody else may read it
//! ```
//!
//! Postgres refuses to run as root, so root's servers run as an unprivileged user; where that user cannot
//! reach the data directory, its contents live under `/var/tmp/daybook-<hash>` and `run/home` says so.

mod error;
mod faults;
mod guests;
mod keeper;
mod localstripe;
mod nats;
mod owner;
mod pip;
mod place;
mod ports;
mod postgres;
mod process;
mod provision;
mod search;
mod secrets;
mod server;
mod start;
pub mod testing;
mod url;

pub use error::StackError;
pub use start::{Log, Options, Stack};
