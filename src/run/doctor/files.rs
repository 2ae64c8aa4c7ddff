//! Files: the archive's, the certificate's, and room on the disks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use api::ingress::tls::Tls;
use sqlx::Row as _;
use store::{
    archive::{self, Archive},
    ports::{Clock as _, Machine},
};

use super::{Patient, database::Database, said::Told};

/// Room that should be left on a disk: a share, and bytes.
const ROOM: (u64, u64) = (10, 1 << 30);
/// A certificate is renewed weeks before its time ends.
const ENDS_WITHIN_S: i64 = 14 * 86_400;

impl Patient {
    /// The files of what was put away.
    pub fn archive(&self) -> Archive {
        self.settings.archive.as_ref().map(Archive::at).unwrap_or_default()
    }
}

/// Looks whether every file of the archive is there; `daybook verify` reads them.
pub async fn archive(patient: &Patient, database: &Database, told: &mut Told) {
    const CHECK: &str = "archive";
    let rows = sqlx::query("SELECT first_position, last_position, sha256 FROM archive_files ORDER BY file");
    let names = rows.fetch_all(&database.pool).await.and_then(|rows| {
        let named = rows.iter().map(|row| {
            let sha256: Vec<u8> = row.try_get(2)?;
            Ok(archive::name(row.try_get(0)?, row.try_get(1)?, &sha256))
        });
        named.collect::<Result<Vec<String>, sqlx::Error>>()
    });
    match (names, &patient.settings.archive) {
        (Err(error), _) => told.fail(CHECK, error, "look into the log of Postgres"),
        (Ok(names), None) if names.is_empty() => told.skip(CHECK, "nothing was put away"),
        (Ok(names), None) => {
            let todo = "set DAYBOOK_ARCHIVE_DIR for every process that reads the log";
            told.fail(
                CHECK,
                format_args!("{} files hold events of this log, and nobody says where they are", names.len()),
                todo,
            );
        }
        (Ok(names), Some(directory)) => {
            let missing: Vec<_> = names.iter().filter(|name| !directory.join(name).is_file()).collect();
            match missing.first() {
                None => {
                    told.ok(CHECK, format_args!("all {} files are in {}", names.len(), directory.display()))
                }
                Some(first) => {
                    let said = format!(
                        "{} of {} files are not in {}: {first}",
                        missing.len(),
                        names.len(),
                        directory.display()
                    );
                    told.fail(
                        CHECK,
                        said,
                        "mount or name the right directory, or put the files from the backup there",
                    );
                }
            }
        }
    }
}

/// Looks at the certificate and the disks.
pub fn look(patient: &Patient, told: &mut Told) {
    certificate(patient, told);
    let places = [Some(&patient.data), patient.settings.archive.as_ref(), patient.settings.index.as_ref()];
    let mut seen: Vec<PathBuf> = Vec::new();
    for place in places.into_iter().flatten() {
        // A directory that is yet to be made lies on its parent's disk.
        let known = place.ancestors().find(|place| place.exists()).map(Path::to_owned);
        let known = known.filter(|known| !known.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."));
        if !seen.contains(&known) {
            disk(&known, told);
            seen.push(known);
        }
    }
}

fn disk(place: &Path, told: &mut Told) {
    const CHECK: &str = "disk";
    let shown = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
    let shown = shown.display();
    match rustix::fs::statvfs(place) {
        Ok(about) => {
            let (free, all) = (about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize);
            let said = format!("{} of {} GB are free under {shown}", free >> 30, all >> 30);
            let todo = "make room: a process that cannot write its files stops doing what they are for";
            match free {
                0 => told.fail(CHECK, said, todo),
                free if free < ROOM.1 || free < all / ROOM.0 => told.warn(CHECK, said, todo),
                _ => told.ok(CHECK, said),
            }
        }
        Err(error) => {
            told.fail(CHECK, format_args!("{shown}: {error}"), "make the directory, for the user that serves")
        }
    }
}

fn certificate(patient: &Patient, told: &mut Told) {
    const CHECK: &str = "certificate";
    let Some((certificate, key)) = &patient.settings.ingress.tls else {
        let said = if patient.settings.ingress.behind_proxy { "a proxy shows one" } else { "clear text" };
        return told.skip(CHECK, said);
    };
    let ends = match Tls::load(certificate, key) {
        Ok(tls) => tls.not_after_s(),
        Err(error) => {
            let todo = "correct DAYBOOK_TLS_CERT and DAYBOOK_TLS_KEY; the user that serves must be able to read both";
            return told.fail(CHECK, error, todo);
        }
    };
    let Some(ends) = ends else {
        return told.warn(CHECK, "when its time ends cannot be told", "look with `openssl x509 -enddate`");
    };
    let left_s = ends - Machine.now_us() / 1_000_000;
    let days = left_s / 86_400;
    let todo = "renew it; the running process reads the new files within a minute";
    match left_s {
        left if left < 0 => told.fail(CHECK, format_args!("its time ended {} days ago", -days), todo),
        left if left < ENDS_WITHIN_S => told.warn(CHECK, format_args!("its time ends in {days} days"), todo),
        _ => told.ok(CHECK, format_args!("its time ends in {days} days")),
    }
}
