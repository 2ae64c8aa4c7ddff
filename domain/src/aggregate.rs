//! The one shape that every aggregate has: commands in, events or a refusal out, and a fold.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

/// A consistency boundary whose state is the fold of its own stream.
///
/// Both functions are synchronous and total. `decide` never changes anything; `evolve` never judges.
pub trait Aggregate:
    Default + Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The literal stored as `aggregate_type`; it can never change.
    const TYPE: &'static str;
    /// What may be asked of it.
    type Command: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What can have happened to it.
    type Event: Event;
    /// Why it may say no.
    type Refusal: Refusal;

    /// The events that `command` causes in this state; none when it already took effect.
    ///
    /// # Errors
    /// The refusal that names the state of affairs which forbids the command.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after `event`. An event that does not fit the state leaves it as it was.
    #[must_use]
    fn evolve(self, event: Self::Event) -> Self;

    /// Whether nothing more is expected of it: its stream may be put away. When in doubt, it is open. A command may come
    /// all the same, and is decided as ever.
    #[must_use]
    fn is_closed(&self) -> bool;
}

/// A past fact, stored under a literal name and version.
pub trait Event: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Every stored name with the version that is written now.
    const TYPES: &'static [(&'static str, &'static str)];

    /// The literal stored as `event_type`, equal to the payload's outer tag.
    fn event_type(&self) -> &'static str;

    /// The literal stored as `event_version`.
    fn event_version(&self) -> &'static str {
        let name = self.event_type();
        // Every name stands in TYPES; a test holds the two together.
        Self::TYPES.iter().find(|(known, _)| *known == name).map_or("1", |(_, version)| version)
    }
}

/// A state of affairs that forbids a command.
///
/// Serialises as `{"code": …, "values": {…}}`; the code is part of the API, the message is prose.
pub trait Refusal:
    std::error::Error + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Every code there is.
    const CODES: &'static [&'static str];

    /// The stable dotted code, equal to the serialised `code`.
    fn code(&self) -> &'static str;
}
