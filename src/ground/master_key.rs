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
            // Written beside: a half-written key would lose every sealed value, and so would one that takes the place of
            // another that a process has begun to seal with. A link is only made where there is no file.
            let beside = data.join(format!("master.key.{}", key.id()));
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)
                .map_err(failed)?;
            file.write_all(key.to_text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            let made = fs::hard_link(&beside, &path);
            fs::remove_file(&beside).map_err(failed)?;
            match made {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Ok(fs::read_to_string(&path).map_err(failed)?.parse()?)
                }
                made => made.map(|()| key).map_err(failed),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use std::{collections::BTreeSet, sync::Barrier, thread};

    use super::local_master_key;

    #[test]
    fn whoever_starts_at_the_same_time_has_the_same_key() {
        let data = std::env::temp_dir().join(format!("daybook-master-key-{}", std::process::id()));
        for _ in 0..50 {
            std::fs::create_dir_all(&data).unwrap();
            let at_once = Barrier::new(4);
            let start = || {
                at_once.wait();
                local_master_key(&data).unwrap().id()
            };
            let keys: BTreeSet<_> = thread::scope(|scope| {
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                starts.into_iter().map(|start| start.join().unwrap()).collect()
            });
            let left = std::fs::read_dir(&data).unwrap().count();
            std::fs::remove_dir_all(&data).unwrap();
            assert_eq!((keys.len(), left), (1, 1));
        }
    }
}
