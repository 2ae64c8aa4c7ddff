//! `doctor`: looks at a deployment from where it stands and says in words what is wrong. It changes nothing and sends nothing.

mod broker;
mod database;
mod files;
mod following;
mod keys;
mod others;
mod reach;
mod rights;
mod said;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use store::secrets::MasterKeys;

use self::said::{Finding, State, Told};
use super::{FAILED, FINE, Failure};
use crate::{
    ground::Ground,
    out,
    settings::{Mode, Settings, Values},
};

/// How long anything that is asked may take.
const WITHIN: Duration = Duration::from_secs(5);

/// What is looked at.
struct Patient {
    settings: Settings,
    /// The same as they were said.
    values: Values,
    /// Postgres as the serving role.
    database_url: Option<String>,
    nats_url: Option<String>,
    masters: Option<MasterKeys>,
    /// Where processes of this machine keep what is theirs.
    data: PathBuf,
    /// Where `serve` would listen.
    listen: SocketAddr,
    /// Local servers, while they are looked at.
    _ground: Option<Ground>,
}

impl Patient {
    fn is_production(&self) -> bool {
        self.settings.ingress.mode_at(self.listen) == Mode::Production
    }
}

/// Looks at everything; 1 when something is wrong.
pub async fn run(
    file: Option<&Path>,
    data: &Path,
    listen: SocketAddr,
    json: bool,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<u8, Failure> {
    let mut told = Told::default();
    let settings = Values::read(file).and_then(|values| Ok((Settings::of(&values)?, values)));
    match settings {
        Ok(settings) => {
            let patient = patient(settings, data, listen, tell, &mut told).await;
            if let Some(patient) = patient {
                look(&patient, &mut told).await;
            }
        }
        Err(error) => {
            told.fail("settings", error, "correct it; `daybook settings` shows what is set and where")
        }
    }
    say(&told, json)
}

/// Given servers, or the local ones where none are named.
async fn patient(
    (settings, values): (Settings, Values),
    data: &Path,
    listen: SocketAddr,
    tell: &(dyn Fn(&str) + Sync),
    told: &mut Told,
) -> Option<Patient> {
    if settings.database_url.is_none() && !settings.names_servers() {
        return match Ground::prepare(settings, data, false, tell).await {
            Ok(ground) => Some(Patient {
                settings: ground.settings.clone(),
                values,
                database_url: Some(ground.app_url().to_owned()),
                nats_url: Some(ground.nats_url().to_owned()),
                masters: Some(ground.masters().clone()),
                data: data.to_owned(),
                listen,
                _ground: Some(ground),
            }),
            Err(error) => {
                told.fail(
                    "local servers",
                    error,
                    "set DATABASE_URL, NATS_URL and DAYBOOK_MASTER_KEY for servers of your own",
                );
                None
            }
        };
    }
    let masters = settings
        .master_key
        .clone()
        .map(|master| MasterKeys::new(master, settings.previous_master_key.clone()));
    Some(Patient {
        database_url: settings.database_url.clone(),
        nats_url: settings.nats_url.clone(),
        masters,
        data: data.to_owned(),
        listen,
        settings,
        values,
        _ground: None,
    })
}

async fn look(patient: &Patient, told: &mut Told) {
    keys::settings(patient, told);
    let database = database::look(patient, told).await;
    let read = database::read_models(patient, told).await;
    if let Some(database) = &database {
        keys::look(patient, told).await;
        following::look(database, read.as_ref(), told).await;
        files::archive(patient, database, told).await;
    } else {
        keys::look_alone(patient, told);
        for check in ["followers", "archive"] {
            told.skip(check, "not looked at: the database cannot be used");
        }
    }
    let head = match &database {
        Some(database) => database.head().await,
        None => None,
    };
    broker::look(patient, head, told).await;
    files::look(patient, told);
    others::look(patient, told).await;
}

fn say(told: &Told, json: bool) -> Result<u8, Failure> {
    let findings = told.findings();
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let ok = count(State::Fail) == 0;
    if json {
        out::line(json!({ "ok": ok, "checks": findings }))?;
    } else {
        let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        for Finding { check, state, said, todo } in findings {
            out::line(format_args!("{:4}  {check:width$}  {said}", state.as_str()))?;
            if let Some(todo) = todo {
                out::line(format_args!("{:4}  {:width$}  -> {todo}", "", ""))?;
            }
        }
        out::line(format_args!(
            "{} well, {} to be looked at, {} wrong.",
            count(State::Ok),
            count(State::Warn),
            count(State::Fail)
        ))?;
    }
    Ok(if ok { FINE } else { FAILED })
}
