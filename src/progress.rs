//! Shows on stderr how far long work has come: a bar on a terminal, else a line every few seconds.

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::out;

const LINE_EVERY: Duration = Duration::from_secs(3);

/// Where long work says how far it has come.
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
    /// What was done by an earlier run.
    before: u64,
    done: u64,
    of: u64,
    work: &'static str,
    unit: &'static str,
    /// What is said instead of how long it will take.
    note: String,
}

impl Progress {
    /// Nowhere.
    #[must_use]
    pub const fn silent() -> Self {
        Self(Shown::Nothing)
    }

    /// On stderr, in the form that suits it: which work, and what it is counted in.
    #[must_use]
    pub fn stderr(work: &'static str, unit: &'static str) -> Self {
        if io::stderr().is_terminal() {
            return Self::bar(unit, "{eta} to go");
        }
        let now = Instant::now();
        Self(Shown::Lines(Mutex::new(Spoken {
            begun: now,
            last: now,
            before: 0,
            done: 0,
            of: 0,
            work,
            unit,
            note: String::new(),
        })))
    }

    /// The same for work that says itself how long it will take, with [`Progress::at_noting`].
    #[must_use]
    pub fn noting(work: &'static str, unit: &'static str) -> Self {
        if io::stderr().is_terminal() { Self::bar(unit, "{msg}") } else { Self::stderr(work, unit) }
    }

    fn bar(unit: &str, end: &str) -> Self {
        let bar = ProgressBar::new(0);
        // The template is a literal that parses; a bar in the default style would do as well.
        let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{per_sec}}  {end}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self(Shown::Bar(bar))
    }

    /// So much is to be done.
    pub fn begin(&self, of: u64) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_length(of),
            Shown::Lines(spoken) => {
                let mut spoken = spoken.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                (spoken.begun, spoken.last, spoken.of) = (now, now, of);
            }
        }
    }

    /// So much is to be done, and so much of it was done before.
    pub fn begin_after(&self, done: u64, of: u64) {
        self.begin(of);
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.reset_eta();
            }
            Shown::Lines(spoken) => {
                let mut spoken = spoken.lock().unwrap_or_else(PoisonError::into_inner);
                (spoken.before, spoken.done) = (done, done);
            }
        }
    }

    /// So much more is done.
    pub fn advance(&self, more: u64) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.inc(more),
            Shown::Lines(spoken) => {
                let mut spoken = spoken.lock().unwrap_or_else(PoisonError::into_inner);
                let (done, of) = (spoken.done + more, spoken.of);
                spoken.at(done, of);
            }
        }
    }

    /// So much is done, of so much as is known now.
    pub fn at(&self, done: u64, of: u64) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_length(of);
                bar.set_position(done);
            }
            Shown::Lines(spoken) => spoken.lock().unwrap_or_else(PoisonError::into_inner).at(done, of),
        }
    }

    /// The same, with more to say than how long it will take at this rate.
    pub fn at_noting(&self, done: u64, of: u64, note: String) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_message(note),
            Shown::Lines(spoken) => spoken.lock().unwrap_or_else(PoisonError::into_inner).note = note,
        }
        self.at(done, of);
    }

    /// How long it will take at the rate so far, in words; nothing before that can be said.
    #[must_use]
    pub fn left(&self) -> Option<String> {
        match &self.0 {
            Shown::Nothing => None,
            Shown::Bar(bar) => Some(format!("{} s to go", bar.eta().as_secs())),
            Shown::Lines(spoken) => spoken.lock().unwrap_or_else(PoisonError::into_inner).left(),
        }
    }

    /// All is done.
    pub fn finish(&self) {
        match &self.0 {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.finish(),
            Shown::Lines(spoken) => {
                out::tell(spoken.lock().unwrap_or_else(PoisonError::into_inner).line());
            }
        }
    }
}

impl Spoken {
    fn at(&mut self, done: u64, of: u64) {
        (self.done, self.of) = (done, of);
        if self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            out::tell(self.line());
        }
    }

    fn line(&self) -> String {
        let Self { done, of, work, unit, note, .. } = self;
        let (took, per_second) = (self.begun.elapsed(), self.per_second());
        let left = match note.is_empty() {
            true => self.left(),
            false => Some(note.clone()),
        };
        let left = left.map_or(String::new(), |left| format!(", {left}"));
        format!("{work}: {done} of {of} {unit} in {:.1} s ({per_second} {unit}/s){left}", took.as_secs_f32())
    }

    fn per_second(&self) -> u128 {
        u128::from(self.done.saturating_sub(self.before)) * 1_000 / self.begun.elapsed().as_millis().max(1)
    }

    fn left(&self) -> Option<String> {
        let left = u128::from(self.of.saturating_sub(self.done)).checked_div(self.per_second())?;
        (left > 0).then(|| format!("{left} s to go"))
    }
}
