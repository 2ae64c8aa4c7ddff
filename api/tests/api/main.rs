//! The edge, in process, on real servers.

mod archived;
mod as_of;
mod carts;
mod checkout;
mod commands;
mod conditions;
mod flash_sale;
mod idempotency;
mod inventory;
mod metrics;
mod orders;
mod pages;
mod payments;
mod reads;
mod saved;
mod status;
#[allow(dead_code, reason = "the tests of the edge use the rest")]
mod support;
mod telling;
mod upcasts;
