//! The edge, in process, on real servers.

mod checkout;
mod commands;
mod flash_sale;
mod idempotency;
mod inventory;
mod payments;
mod reads;
mod status;
mod support;
