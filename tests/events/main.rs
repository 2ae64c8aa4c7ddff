//! `daybook events` from outside: what an analyst has of a log, with a role that may read and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod archived;
mod document;
mod formats;
mod ground;
mod interrupted;
mod looked_at;
mod opened;
mod refused;
mod replayed;
mod reports;
mod role;
