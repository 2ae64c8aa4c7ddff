//! The master key of local servers.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use store::{
    ports::{Ids as _, Machine},
    secrets::MasterKey,
};

use super::GroundError;

/// The key that the local stack's data is sealed under: made once, readable by its owner only.
pub(super) fn local_master_key(data: &Path) -> Result<MasterKey, GroundError> {
    let path = data.join("master.key");
    let failed = |source| GroundError::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.parse()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0; 32];
            Machine.fill(&mut bytes).map_err(failed)?;
            let key = MasterKey::new(bytes);
            // Written beside and renamed: a half-written key would lose every sealed value.
            let beside = data.join(format!("master.key.{}", std::process::id()));
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)
                .map_err(failed)?;
            file.write_all(key.to_text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::rename(&beside, &path).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}
