//! Drives the pure process managers and policies: what they learn from the log goes into their own stream, what they want done
//! derives from their own events, and nothing is done twice.

mod driver;
mod recent;
mod setting;
mod timers;
mod way;

pub use driver::{Driver, Following, Managing};
pub use timers::Timers;
