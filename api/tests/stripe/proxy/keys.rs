//! Idempotency as Stripe documents it: under one key the first answer is given again, and another request is refused.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use super::{Answered, Asked};

#[derive(Default)]
pub struct Keys(Mutex<HashMap<String, Kept>>);

struct Kept {
    path: String,
    fields: BTreeMap<String, String>,
    answer: Option<Answered>,
}

/// What is known of a request's key.
pub enum Seen {
    Never,
    /// The first one is being worked on.
    Now,
    /// It was another request's.
    Otherwise,
    Before(Answered),
}

impl Keys {
    pub fn seen(&self, asked: &Asked) -> Seen {
        let Some(key) = &asked.key else { return Seen::Never };
        let mut keys = self.0.lock().unwrap();
        match keys.get(key) {
            Some(kept) if kept.path != asked.path || kept.fields != asked.fields => Seen::Otherwise,
            Some(Kept { answer: Some(answer), .. }) => Seen::Before(answer.clone()),
            Some(Kept { answer: None, .. }) => Seen::Now,
            None => {
                let kept = Kept { path: asked.path.clone(), fields: asked.fields.clone(), answer: None };
                keys.insert(key.clone(), kept);
                Seen::Never
            }
        }
    }

    pub fn answered(&self, asked: &Asked, answer: &Answered) {
        let mut keys = self.0.lock().unwrap();
        if let Some(kept) = asked.key.as_ref().and_then(|key| keys.get_mut(key)) {
            kept.answer = Some(answer.clone());
        }
    }

    pub fn forget(&self) {
        self.0.lock().unwrap().clear();
    }
}
