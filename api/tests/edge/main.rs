//! What every request goes through before its route: over real connections, and in process.

#[path = "../api/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;

mod connections;
mod headers;
mod limits;
mod live;
mod tls;
