//! What every request goes through before its route: over real connections, and in process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

#[path = "../api/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;

mod connections;
mod headers;
mod limits;
mod live;
mod tls;
