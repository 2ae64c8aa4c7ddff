//! What goes wrong on the way to Stripe and back.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::Notify;

use super::Asked;

/// One thing that goes wrong.
#[derive(Clone)]
pub enum Fault {
    /// It is not done, and this status says so.
    Refuse(u16),
    /// It is not done, and Stripe says why.
    Answer(u16, Value),
    /// It is done, and the connection breaks before the answer is there.
    Cut,
    /// It is done, and the answer comes when it is let go.
    Hold(Arc<Notify>),
    /// It is done, and the answer says something else of it.
    Change(fn(&mut Value)),
    /// It is done, this status says that it is not, and is kept under the request's key.
    Keep(u16),
}

type Choose = Box<dyn Fn(&Asked) -> Option<Fault> + Send>;
type Second = Box<dyn Fn(&Asked) -> bool + Send>;

/// What goes wrong next, and which answers come after their webhooks.
#[derive(Default)]
pub struct Faults {
    once: Mutex<Vec<(String, Fault)>>,
    always: Mutex<Option<Choose>>,
    second: Mutex<Option<Second>>,
}

impl Faults {
    /// Lets the next POST of a path that ends so go wrong; several in turn.
    pub fn once(&self, end: &str, fault: Fault) {
        self.once.lock().unwrap().push((end.to_owned(), fault));
    }

    /// Asks for each request whether it goes wrong.
    pub fn choose(&self, choose: impl Fn(&Asked) -> Option<Fault> + Send + 'static) {
        *self.always.lock().unwrap() = Some(Box::new(choose));
    }

    pub fn none(&self) {
        *self.always.lock().unwrap() = None;
        self.once.lock().unwrap().clear();
    }

    /// Lets answers come after what the webhooks tell.
    pub fn second(&self, second: impl Fn(&Asked) -> bool + Send + 'static) {
        *self.second.lock().unwrap() = Some(Box::new(second));
    }

    pub(super) fn next(&self, asked: &Asked) -> Option<Fault> {
        let mut once = self.once.lock().unwrap();
        if let Some(at) = once.iter().position(|(end, _)| asked.is(end)) {
            return Some(once.remove(at).1);
        }
        self.always.lock().unwrap().as_ref().and_then(|choose| choose(asked))
    }

    pub(super) fn is_second(&self, asked: &Asked) -> bool {
        self.second.lock().unwrap().as_ref().is_some_and(|second| second(asked))
    }
}
