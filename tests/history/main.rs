//! Looking back, from outside: the program as an analyst runs it, and what other rules would have come to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod shop;
mod state;
mod stock;
mod what_if;
