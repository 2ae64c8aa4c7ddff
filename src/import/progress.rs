//! Shows on stderr how far an import has come: a bar on a terminal, else a line every few seconds.

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(3);

/// Where an import says how far it has come.
#[derive(Debug)]
pub struct Progress(Shown);

#[derive(Debug)]
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(Mutex<Spoken>),
}

#[derive(Debug)]
struct Spoken {
    begun: Instant,
    last: Instant,
    done: u64,
    of: u64,
}

impl Progress {
    /// Nowhere.
    #[must_use]
    pub const fn silent() -> Self {
        Self(Shown::Nothing)
    }

    /// On stderr, in the form that suits it.
    #[must_use]
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new(0);
            // The template is a literal that parses; a bar in the default style would do as well.
            if let Ok(style) =
                ProgressStyle::with_template("{bar:30} {pos}/{len} lines  {per_sec}  {eta} to go")
            {
                bar.set_style(style);
            }
            return Self(Shown::Bar(bar));
        }
        let now = Instant::now();
        Self(Shown::Lines(Mutex::new(Spoken { begun: now, last: now, done: 0, of: 0 })))
    }

    pub(super) fn begin(&self, lines: u64) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_length(lines),
            Shown::Lines(spoken) => {
                let mut spoken = spoken.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                (spoken.begun, spoken.last, spoken.of) = (now, now, lines);
            }
        }
    }

    pub(super) fn advance(&self, lines: u64) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.inc(lines),
            Shown::Lines(spoken) => {
                let mut spoken = spoken.lock().unwrap_or_else(PoisonError::into_inner);
                spoken.done += lines;
                if spoken.last.elapsed() >= LINE_EVERY {
                    spoken.last = Instant::now();
                    eprintln!("{}", spoken.line());
                }
            }
        }
    }

    pub(super) fn finish(&self) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.finish(),
            Shown::Lines(spoken) => {
                eprintln!("{}", spoken.lock().unwrap_or_else(PoisonError::into_inner).line());
            }
        }
    }
}

impl Spoken {
    fn line(&self) -> String {
        let took = self.begun.elapsed();
        let per_second = u128::from(self.done) * 1_000 / took.as_millis().max(1);
        format!(
            "import: {} of {} lines in {:.1} s ({per_second} lines/s)",
            self.done,
            self.of,
            took.as_secs_f32()
        )
    }
}
