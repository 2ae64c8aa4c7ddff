//! What may be asked of the read models, on real servers.

mod carts;
mod freshness;
mod naive;
mod orders;
mod parked;
mod payments;
mod products;
mod random;
mod rebuild;
mod reconcile;
mod stock;
mod world;
