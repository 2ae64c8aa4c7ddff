//! Where everything is printed: the one place that knows what it means when nobody takes it.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A result that could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("printing the result: {0}")]
pub struct Unprinted(#[from] io::Error);

impl Unprinted {
    /// Whether the reader has gone, as `head` does: it has what it wanted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Unprinted {
    /// The reader has gone.
    #[must_use]
    pub fn closed() -> Self {
        Self(io::ErrorKind::BrokenPipe.into())
    }
}

/// Whether the reader has gone, as `head` does, so that nothing need be made for it.
#[must_use]
pub fn is_closed() -> bool {
    let out = io::stdout();
    let mut looked = [PollFd::new(&out, PollFlags::OUT)];
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    poll(&mut looked, Some(&none)).is_ok() && looked.iter().any(|one| one.revents().intersects(gone))
}

/// Where a result goes that is no text, or too long for one.
#[must_use]
pub fn stream() -> Box<dyn io::Write + Send> {
    Box::new(io::stdout())
}

/// Prints a line of a result.
///
/// # Errors
/// When it cannot be written, as on a full disk, or nobody reads it.
pub fn line(text: impl Display) -> Result<(), Unprinted> {
    self::text(format_args!("{text}\n"))
}

/// Prints a part of a result, and sees that it is written.
///
/// # Errors
/// When it cannot be written, as on a full disk, or nobody reads it.
pub fn text(text: impl Display) -> Result<(), Unprinted> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Says something on the way, on stderr. Where that cannot be written, there is nobody to tell.
pub fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
