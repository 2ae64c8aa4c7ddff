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
            let bar = ProgressBar::new(0);
            // The template is a literal that parses; a bar in the default style would do as well.
            let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} to go");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            return Self(Shown::Bar(bar));
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
        })))
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
        let Self { before, done, of, work, unit, .. } = self;
        let took = self.begun.elapsed();
        let per_second = u128::from(done.saturating_sub(*before)) * 1_000 / took.as_millis().max(1);
        let left = match u128::from(of.saturating_sub(*done)).checked_div(per_second) {
            Some(seconds @ 1..) => format!(", {seconds} s to go"),
            _ => String::new(),
        };
        format!("{work}: {done} of {of} {unit} in {:.1} s ({per_second} {unit}/s){left}", took.as_secs_f32())
    }
}
