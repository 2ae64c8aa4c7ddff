//! What was found: one line a check, and what to do about it.

use std::fmt::Display;

use serde::Serialize;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Well.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// Wrong.
    Fail,
    /// Not looked at, because of something else that is wrong or not set.
    Skip,
}

impl State {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skip => "-",
        }
    }
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// In words.
    pub said: String,
    /// What to do, where there is something.
    pub todo: Option<String>,
}

/// Everything that was found, in the order in which it was looked at.
#[derive(Default)]
pub struct Told(Vec<Finding>);

impl Told {
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }

    pub fn ok(&mut self, check: &'static str, said: impl Display) {
        self.say(check, State::Ok, said, None);
    }

    pub fn warn(&mut self, check: &'static str, said: impl Display, todo: impl Display) {
        self.say(check, State::Warn, said, Some(todo.to_string()));
    }

    pub fn fail(&mut self, check: &'static str, said: impl Display, todo: impl Display) {
        self.say(check, State::Fail, said, Some(todo.to_string()));
    }

    pub fn skip(&mut self, check: &'static str, said: impl Display) {
        self.say(check, State::Skip, said, None);
    }

    fn say(&mut self, check: &'static str, state: State, said: impl Display, todo: Option<String>) {
        // Each is one line, whatever a database or a library says.
        let said = said.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.push(Finding { check, state, said, todo });
    }
}
