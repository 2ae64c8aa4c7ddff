//! Drives the pure process managers: what they learn from the log goes into their own stream, what they want done
//! derives from their own events, and nothing is done twice.

mod checkout;
mod timers;

pub use checkout::Checkouts;
pub use timers::Timers;
