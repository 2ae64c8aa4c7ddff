//! Knows the stack's passwords: random, made once, readable by their owner only.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{StackError, file};
use crate::place;

/// One password a role.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    pub owner: String,
    pub app: String,
    pub nats: String,
}

impl Secrets {
    /// The stored secrets, made now if there are none; `data_exists` says that there must be some.
    pub fn load_or_make(run: &Path, data_exists: bool) -> Result<Secrets, StackError> {
        let path = run.join("secrets");
        match Self::load(run)? {
            Some(secrets) => Ok(secrets),
            None if data_exists => Err(StackError::SecretsLost { path }),
            None => {
                let secrets = Secrets { owner: password()?, app: password()?, nats: password()? };
                let text = format!("owner={}\napp={}\nnats={}\n", secrets.owner, secrets.app, secrets.nats);
                place::write_private(&path, &text, None)?;
                Ok(secrets)
            }
        }
    }

    /// The stored secrets, if any.
    pub fn load(run: &Path) -> Result<Option<Secrets>, StackError> {
        let path = run.join("secrets");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file("read", &path)(error)),
        };
        let of = |role: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(role)?.strip_prefix('='));
            line.map(str::to_owned).ok_or_else(|| StackError::SecretsLost { path: path.clone() })
        };
        Ok(Some(Secrets { owner: of("owner")?, app: of("app")?, nats: of("nats")? }))
    }
}

/// Bytes from the system's random source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StackError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    File::open(source).and_then(|mut f| f.read_exact(&mut bytes)).map_err(file("read", source))?;
    Ok(bytes)
}

/// 128 bits as hex, so that it needs no escaping in a URL or a configuration file.
pub(crate) fn password() -> Result<String, StackError> {
    Ok(random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}
