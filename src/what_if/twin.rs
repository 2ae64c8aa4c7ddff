//! A state that was, and beside it the one that would have been as soon as that is another one.

use domain::Aggregate;

/// Both states of one aggregate.
#[derive(Clone, Debug, Default)]
pub struct Twin<A> {
    /// What was.
    pub was: A,
    then: Option<A>,
}

impl<A: Aggregate> Twin<A> {
    /// What would have been.
    pub fn then(&self) -> &A {
        self.then.as_ref().unwrap_or(&self.was)
    }

    /// Whether that is what was.
    pub const fn is_one(&self) -> bool {
        self.then.is_none()
    }

    /// This happened, and would have.
    pub fn both(&mut self, events: &[A::Event]) {
        self.then = self.then.take().map(|state| after(state, events));
        self.was = after(std::mem::take(&mut self.was), events);
    }

    /// This happened, and that would have.
    pub fn either(&mut self, was: &[A::Event], then: &[A::Event]) {
        if self.is_one() && was == then {
            return self.both(was);
        }
        let state = self.then.take().unwrap_or_else(|| self.was.clone());
        self.then = Some(after(state, then));
        self.was = after(std::mem::take(&mut self.was), was);
    }
}

fn after<A: Aggregate>(state: A, events: &[A::Event]) -> A {
    events.iter().cloned().fold(state, A::evolve)
}
