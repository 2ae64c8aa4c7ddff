//! The keys that everything else is derived from: one master key, kept outside the database.

use std::{collections::BTreeSet, fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::AnyCommand;
use hmac::{Hmac, Mac as _, digest::KeyInit};
use sha2::Sha256;
use uuid::Uuid;

use crate::json::ToJson as _;

/// 32 secret bytes. Losing them loses every sealed value; whoever has them can read those.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// A text that is not a master key.
#[derive(Debug, thiserror::Error)]
#[error("a master key is 32 bytes in base64 (44 characters), such as `openssl rand -base64 32` prints")]
pub struct MasterKeyError;

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl FromStr for MasterKey {
    type Err = MasterKeyError;

    fn from_str(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| MasterKeyError)?;
        bytes.try_into().map(Self).map_err(|_| MasterKeyError)
    }
}

impl MasterKey {
    /// A master key of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A name for the key that says nothing about it: what it wrapped carries this name.
    #[must_use]
    pub fn id(&self) -> String {
        self.derive("id")[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether it is no work of chance: a text, or the same few bytes again and again. Of keys that are, less than one in 10¹³
    /// looks like that.
    #[must_use]
    pub fn is_guessable(&self) -> bool {
        let distinct: BTreeSet<u8> = self.0.iter().copied().collect();
        distinct.len() < 16 || self.0.iter().all(|byte| matches!(byte, b' '..=b'~'))
    }

    /// The key as text, for the one place that it is kept in.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// A key for one purpose: HMAC-SHA256 of the purpose's name under the master key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        mac(&self.0, &[purpose.as_bytes()])
    }
}

/// The master key, and beside it the one before while anything is still wrapped by that.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    current: MasterKey,
    previous: Option<MasterKey>,
}

impl MasterKeys {
    /// Both; the same key twice is one.
    #[must_use]
    pub fn new(current: MasterKey, previous: Option<MasterKey>) -> Self {
        Self { previous: previous.filter(|previous| previous.0 != current.0), current }
    }

    /// What everything new is wrapped by.
    #[must_use]
    pub const fn current(&self) -> &MasterKey {
        &self.current
    }

    /// What older things may be wrapped by.
    #[must_use]
    pub const fn previous(&self) -> Option<&MasterKey> {
        self.previous.as_ref()
    }
}

impl From<MasterKey> for MasterKeys {
    fn from(current: MasterKey) -> Self {
        Self { current, previous: None }
    }
}

/// Tells a repeated command from another one under the same id, without storing either.
#[derive(Clone)]
pub struct Fingerprints([u8; 32]);

impl Fingerprints {
    /// Fingerprints under the key that a master key derives: those of a shop whose master key was never replaced.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self::under(master.derive("fingerprint"))
    }

    /// Fingerprints under a key of their own, which outlives the master key.
    #[must_use]
    pub const fn under(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub(crate) const fn key(&self) -> &[u8; 32] {
        &self.0
    }

    /// The fingerprint of a command as it stands.
    ///
    /// # Errors
    /// When the command cannot be written as JSON.
    pub fn of(&self, command: &AnyCommand) -> Result<[u8; 32], serde_json::Error> {
        Ok(self.of_parts(&[command.to_json()?.as_bytes()]))
    }

    /// The fingerprint of a command's kind: for an id that derives from the command's cause, and so names it already. A
    /// newer program may write the same command with another field; its repeat is a repeat all the same.
    ///
    /// # Errors
    /// When the command cannot be written as JSON.
    pub fn of_kind(&self, command: &AnyCommand) -> Result<[u8; 32], serde_json::Error> {
        Ok(self.of_parts(&names(&command.to_json()?)))
    }

    /// The fingerprint of whatever makes a request this request and no other.
    #[must_use]
    pub fn of_parts(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.0, parts)
    }
}

/// An aggregate's type and a command's name, `{"order":{"Cancel":…`; what stands in it does not count.
fn names(command: &str) -> Vec<&[u8]> {
    let mut rest = Some(command);
    let names = std::iter::from_fn(|| {
        let (name, behind) = rest?.strip_prefix("{\"")?.split_once('"')?;
        rest = behind.strip_prefix(':');
        Some(name.as_bytes())
    });
    names.take(2).collect()
}

/// The command id behind a client's `Idempotency-Key`: the same key of another principal or route is another command.
#[must_use]
pub fn client_command_id(principal: &str, route: &str, key: &str) -> Uuid {
    const NAMESPACE: Uuid = Uuid::from_u128(0x6461_7962_6f6f_6b00_8000_0000_0000_0001);
    let mut name = Vec::new();
    for part in [principal, route, key] {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

pub(crate) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads its key with zeros to the hash's block: done here, the constructor cannot fail.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use domain::{inventory_item, order, value::ReservationId};

    use super::{Fingerprints, MasterKey};

    #[test]
    fn a_kind_is_the_aggregate_and_the_commands_name_whatever_stands_in_it() {
        let prints = Fingerprints::new(&MasterKey::new([7; 32]));
        let release = |name| {
            let reservation = ReservationId::new(name).ok()?;
            prints.of_kind(&inventory_item::Command::Release { reservation }.into()).ok()
        };
        let (one, other) = (release("R1"), release("R2"));
        let reorder = prints.of_kind(&inventory_item::Command::SetReorderPoint { units: None }.into()).ok();
        assert!(one.is_some() && reorder.is_some());
        assert_eq!(one, other);
        assert_ne!(one, reorder);
        // As it stands in logs.
        let stands = |parts: [&str; 2]| Some(prints.of_parts(&parts.map(str::as_bytes)));
        assert_eq!(one, stands(["inventory_item", "Release"]));
        let confirm = prints.of_kind(&order::Command::Confirm {}.into()).ok();
        assert_eq!(confirm, stands(["order", "Confirm"]));
    }
}
