//! Following the log: leases, checkpoints that move with the work, projections and reactors.

mod checkpoint;
mod lease;
mod parked;
mod projection;
mod reactor;
mod waiting;
mod window;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use lease::Lease;
pub use parked::{ParkedStream, release};
pub use projection::{ApplyError, Follower, Projection};
pub use reactor::{Reached, React, ReactError, Reactor};
pub use waiting::WaitingEvent;
