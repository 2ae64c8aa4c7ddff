//! Doors to other parties' systems.

pub mod behaviour;
pub mod simulator;
pub mod stripe;
