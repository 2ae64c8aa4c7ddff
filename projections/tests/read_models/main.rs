//! What may be asked of the read models, on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod again;
mod as_of;
mod audit;
mod carts;
mod engines;
mod folded;
mod freshness;
mod naive;
mod orders;
mod parked;
mod payments;
mod products;
mod random;
mod rebuild;
mod rebuild_late;
mod rebuild_shape;
mod reconcile;
mod search;
mod search_meili;
mod search_rebuilt;
mod search_rows;
mod stock;
mod upcasts;
mod views;
mod world;
