//! Keys in memory, and what they opened last: it is there for as long as its key is, so that forgetting takes both at once.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use domain::value::Sealed;

/// Subjects that are kept in memory.
const SUBJECTS_MAX: usize = 10_000;
/// Opened values that are kept of a subject: an order has a contact and an address.
const OPENED_MAX: usize = 2;
/// Bytes of a sealed value whose opened one is kept.
const SEALED_BYTES_MAX: usize = 1_024;

/// The key of a subject.
pub(super) type Key = [u8; 32];

/// What is in memory of everybody.
#[derive(Default)]
pub(super) struct Keys {
    known: HashMap<Arc<str>, Known>,
    /// Changes when somebody is forgotten: a key that was read before must not be kept after.
    pub forgotten: u64,
}

/// What is in memory of a subject.
struct Known {
    key: Key,
    /// Sealed values with what they hold; the one that was opened last stands last.
    opened: Vec<(Arc<str>, Bytes)>,
}

impl Keys {
    /// Whether a subject's key is in memory.
    pub fn holds(&self, subject: &str) -> bool {
        self.known.contains_key(subject)
    }

    /// A subject's key.
    pub fn key(&self, subject: &str) -> Option<Key> {
        self.known.get(subject).map(|known| known.key)
    }

    /// What a sealed value holds, if it was opened lately.
    pub fn opened(&self, sealed: &Sealed) -> Option<Bytes> {
        let opened = &self.known.get(&*sealed.subject)?.opened;
        opened.iter().find(|(text, _)| **text == *sealed.sealed).map(|(_, plain)| plain.clone())
    }

    /// Keeps a key, unless somebody was forgotten since it was read: it may have been that subject.
    pub fn keep(&mut self, subject: &str, key: Key, forgotten: u64) {
        if self.known.len() >= SUBJECTS_MAX {
            self.known.clear();
        }
        if self.forgotten == forgotten {
            self.known.insert(subject.into(), Known { key, opened: Vec::new() });
        }
    }

    /// Keeps what a sealed value holds, as long as the key is kept that opened it.
    pub fn keep_opened(&mut self, sealed: &Sealed, plain: &Bytes) {
        if sealed.sealed.len() > SEALED_BYTES_MAX {
            return;
        }
        let Some(known) = self.known.get_mut(&*sealed.subject) else { return };
        if known.opened.len() >= OPENED_MAX {
            known.opened.remove(0);
        }
        known.opened.push((sealed.sealed.clone(), plain.clone()));
    }

    /// Leaves nothing of these subjects.
    pub fn forget(&mut self, subjects: &[&str]) {
        self.forgotten += 1;
        for subject in subjects {
            self.known.remove(*subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Keys, SEALED_BYTES_MAX};
    use domain::value::Sealed;

    fn sealed(text: &str) -> Sealed {
        Sealed { subject: "ada".into(), sealed: text.into() }
    }

    #[test]
    fn what_was_opened_is_kept_for_as_long_as_its_key() {
        let mut keys = Keys::default();
        keys.keep_opened(&sealed("contact"), &Bytes::from("Ada"));
        assert_eq!(keys.opened(&sealed("contact")), None, "nobody's key is there");
        keys.keep("ada", [7; 32], 0);
        keys.keep_opened(&sealed("contact"), &Bytes::from("Ada"));
        assert_eq!(keys.opened(&sealed("contact")), Some(Bytes::from("Ada")));
        keys.forget(&["ada"]);
        keys.keep_opened(&sealed("contact"), &Bytes::from("Ada"));
        assert_eq!((keys.opened(&sealed("contact")), keys.holds("ada")), (None, false));
        // Read before she was forgotten, and told after.
        keys.keep("ada", [7; 32], 0);
        assert!(!keys.holds("ada"));
    }

    #[test]
    fn a_few_short_values_are_kept_of_each() {
        let mut keys = Keys::default();
        keys.keep("ada", [7; 32], 0);
        for text in ["first", "second", "third"] {
            keys.keep_opened(&sealed(text), &Bytes::from(text));
        }
        assert_eq!(keys.opened(&sealed("first")), None);
        assert_eq!(keys.opened(&sealed("second")), Some(Bytes::from("second")));
        let long = sealed(&"x".repeat(SEALED_BYTES_MAX + 1));
        keys.keep_opened(&long, &Bytes::from("long"));
        assert_eq!(keys.opened(&long), None);
        assert_eq!(keys.opened(&sealed("third")), Some(Bytes::from("third")));
    }
}
