//! Doors to other parties' systems.

pub mod simulator;
