//! Closed streams lie in files, and nobody who reads the log can tell.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod chosen;
mod killed;
mod read;
mod shop;
mod tampered;
