//! Shows on stderr how far long work has come: a bar on a terminal, else a line every few seconds.

use std::{
    fmt::Write,
    io::{self, IsTerminal as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

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
    /// What is said instead of how fast it goes and how long it will take.
    note: String,
}

/// How fast something else is counted than what is shown as done.
#[derive(Debug)]
pub struct Rate(Mutex<[(Instant, u64); 3]>);

impl Default for Rate {
    fn default() -> Self {
        Self(Mutex::new([(Instant::now(), 0); 3]))
    }
}

impl Rate {
    /// It is counted from here.
    pub fn begin(&self, count: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = [(Instant::now(), count); 3];
    }

    /// How many a second since it began.
    #[must_use]
    pub fn of_all(&self, count: u64) -> u128 {
        let [begun, ..] = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        per_second(begun, count)
    }

    /// How many a second in the last seconds.
    pub fn of_late(&self, count: u64) -> u128 {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [begun, before, last] = *marks;
        if last.0.elapsed() >= LINE_EVERY {
            *marks = [begun, last, (Instant::now(), count)];
        }
        per_second(before, count)
    }
}

fn per_second((since, from): (Instant, u64), count: u64) -> u128 {
    u128::from(count.saturating_sub(from)) * 1_000 / since.elapsed().as_millis().max(1)
}

/// How long so many seconds are, in words.
#[must_use]
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0 | 1) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
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
            return Self::bar(unit, "  {rate}/s  {eta} to go");
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

    /// The same for work that says itself how fast it goes and how long it will take, with [`Progress::at_noting`].
    #[must_use]
    pub fn noting(work: &'static str, unit: &'static str) -> Self {
        if io::stderr().is_terminal() { Self::bar(unit, "  {msg}") } else { Self::stderr(work, unit) }
    }

    fn bar(unit: &str, end: &str) -> Self {
        let bar = ProgressBar::new(0);
        // The template is a literal that parses; a bar in the default style would do as well.
        let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}{end}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                // What cannot be written is not shown.
                let _ = write!(out, "{:.0}", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate));
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
            Shown::Bar(bar) => Some(format!("{} to go", span(bar.eta().as_secs()))),
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
        let so_far = format!("{work}: {done} of {of} {unit} in {:.1} s", self.begun.elapsed().as_secs_f32());
        if !note.is_empty() {
            return format!("{so_far}, {note}");
        }
        let left = self.left().map_or(String::new(), |left| format!(", {left}"));
        format!("{so_far} ({} {unit}/s){left}", self.per_second())
    }

    fn per_second(&self) -> u128 {
        per_second((self.begun, self.before), self.done)
    }

    fn left(&self) -> Option<String> {
        let left = u128::from(self.of.saturating_sub(self.done)).checked_div(self.per_second())?;
        (left > 0).then(|| format!("{} to go", span(u64::try_from(left).unwrap_or(u64::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_it_takes_is_told_in_two_units_at_most() {
        for (seconds, told) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min 0 s"),
            (3_599, "59 min 59 s"),
            (7_320, "2 h 2 min"),
            (86_400, "1 d 0 h"),
            (358_439_998, "4148 d 14 h"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }
}
