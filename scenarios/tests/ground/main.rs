//! What the built shop stands on, made bad: a full disk, a database that takes no writes, one that is too old, events of a
//! newer program, and a process that dies. It says what is wrong, loses nothing, and goes on by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

#[path = "../torture/http.rs"]
#[allow(dead_code, reason = "the crash test takes more from it")]
mod http;
#[path = "../torture/keeper.rs"]
#[allow(dead_code, reason = "the crash test takes more from it")]
mod keeper;
mod process;

mod full_disk;
mod old_server;
mod read_only;
mod standby;
mod takeover;
mod unknown;
