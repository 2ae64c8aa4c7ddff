//! Following the log: leases, checkpoints that move with the work, projections and reactors.

mod asking;
mod board;
mod checkpoint;
mod lanes;
mod lease;
mod meter;
mod parked;
mod projection;
mod react;
mod reactor;
mod remedy;
mod skipped;
mod standing;
mod waiting;
mod window;

pub use asking::Aside;
pub use board::{Board, Look};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use lease::Lease;
pub use meter::{Meter, Reading};
pub use parked::{ParkedStream, see_to};
pub use projection::{ApplyError, Follower, Projection};
pub use react::{Reached, React, ReactError};
pub use reactor::Reactor;
pub use remedy::{Left, Remedied, Remedy, RemedyError};
pub use skipped::SkippedEvent;
pub use standing::{LEASES_ALONE, Overdue, Standing, Standings};
pub use waiting::{WaitingEvent, WaitingLane};

/// How long a follower that has met an event of a newer program leaves its lease to others.
const TOO_NEW_PAUSE: std::time::Duration = std::time::Duration::from_secs(10);
