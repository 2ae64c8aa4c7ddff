//! Following the log: leases, checkpoints that move with the work, projections and reactors.

mod checkpoint;
mod lease;
mod parked;
mod projection;
mod react;
mod reactor;
mod waiting;
mod window;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use lease::Lease;
pub use parked::{ParkedStream, release};
pub use projection::{ApplyError, Follower, Projection};
pub use react::{Reached, React, ReactError};
pub use reactor::Reactor;
pub use waiting::WaitingEvent;

/// How long a follower that has met an event of a newer program leaves its lease to others.
const TOO_NEW_PAUSE: std::time::Duration = std::time::Duration::from_secs(10);
