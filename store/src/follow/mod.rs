//! Following the log: leases, checkpoints that move with the work, projections and reactors.

mod ahead;
mod applied;
mod applying;
mod asking;
mod audit;
mod auditor;
mod board;
mod checkpoint;
mod filling;
mod foreseen;
mod kept;
mod lanes;
mod lease;
mod meter;
mod parked;
mod progress;
mod projection;
mod react;
mod reactor;
mod remedy;
mod replaying;
mod skipped;
mod standing;
mod waiting;
mod window;

pub use applied::{Applied, BLOCK, Sum, block_of};
pub use asking::Aside;
pub use audit::{AuditError, Audited, BlockDifference, EventFound, audit};
pub use auditor::Auditor;
pub use board::{Board, Look};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use filling::{FillError, Filling};
pub use kept::Kept;
pub use lease::Lease;
pub use meter::{Meter, Reading};
pub use parked::{ParkedStream, see_to};
pub use progress::Progress;
pub use projection::{ApplyError, Follower, Projection, ReadTable};
pub use react::{Begins, Foresee, Reached, React, ReactError};
pub use reactor::Reactor;
pub use remedy::{Left, Remedied, Remedy, RemedyError};
pub use replaying::{Part, ReplaySource, Replaying};
pub use skipped::{SkippedEvent, ids as skipped_ids};
pub use standing::{LEASES_ALONE, Overdue, Standing, Standings};
pub use waiting::{WaitingEvent, WaitingLane};

/// How long a follower that has met an event of a newer program leaves its lease to others.
const TOO_NEW_PAUSE: std::time::Duration = std::time::Duration::from_secs(10);
