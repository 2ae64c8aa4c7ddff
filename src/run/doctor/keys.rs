//! Settings that make no sense together, and the master key: whether it is there, cannot be guessed and opens what was sealed.

use std::{env, sync::Arc};

use store::{ports::Machine, schema, vault::Vault};
use tokio::time::timeout;

use super::{Patient, WITHIN, rights::closed, said::Told};
use crate::{run::fitness, settings::known};

/// One setting that is of no use without another.
const NEEDED: &[(&str, &str)] = &[
    ("MEILI_MASTER_KEY", "MEILI_URL"),
    ("DAYBOOK_SMS_TOKEN", "DAYBOOK_SMS_URL"),
    ("DAYBOOK_SMS_TEMPLATE", "DAYBOOK_SMS_URL"),
    ("DAYBOOK_MAIL_FROM", "DAYBOOK_SMTP_URL"),
    ("DAYBOOK_MAIL_REPLY_TO", "DAYBOOK_SMTP_URL"),
    ("DAYBOOK_MAIL_SHOP", "DAYBOOK_SMTP_URL"),
    ("OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT"),
];

/// Looks at what is set.
pub fn settings(patient: &Patient, told: &mut Told) {
    const CHECK: &str = "settings";
    let objections = fitness::objections(&patient.settings, patient.listen);
    for objection in &objections {
        told.fail(CHECK, objection, "`serve` refuses to start until then");
    }
    let strange = strange(patient);
    for (said, todo) in &strange {
        told.warn(CHECK, said, todo);
    }
    if objections.is_empty() && strange.is_empty() {
        let mode = if patient.is_production() { "production" } else { "development" };
        told.ok(CHECK, format_args!("fit for {mode} at {}", patient.listen));
    }
}

fn strange(patient: &Patient) -> Vec<(String, String)> {
    let settings = &patient.settings;
    let mut strange = Vec::new();
    let is_set = |name: &str| patient.values.get(name).is_some();
    for (name, without) in NEEDED {
        if is_set(name) && !is_set(without) {
            strange.push((
                format!("{name} is set, and not {without}"),
                format!("set {without}, or take {name} out"),
            ));
        }
    }
    if settings.read_database_url.is_some() && settings.read_database_url == settings.database_url {
        let said = "DAYBOOK_READ_DATABASE_URL names the database of DATABASE_URL".to_owned();
        strange.push((said, "take it out: queries read there anyway".to_owned()));
    }
    if settings.ingress.tls.is_some() && settings.ingress.behind_proxy {
        let said = "DAYBOOK_TLS=proxy is set, and a certificate too".to_owned();
        strange.push((said, "keep the one that is meant".to_owned()));
    }
    if settings.previous_master_key.is_some()
        && settings.previous_master_key.as_ref().map(store::secrets::MasterKey::id)
            == settings.master_key.as_ref().map(store::secrets::MasterKey::id)
    {
        let said = "DAYBOOK_MASTER_KEY_PREVIOUS is DAYBOOK_MASTER_KEY".to_owned();
        strange.push((said, "take it out, or put the older key there".to_owned()));
    }
    // Names only: whatever stands behind one may be a secret.
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("DAYBOOK_")) {
        if !known().any(|(known, _)| known == name) {
            let todo = "correct its name: `daybook settings` lists all".to_owned();
            strange.push((format!("{name} in the environment is no setting"), todo));
        }
    }
    strange
}

const CHECK: &str = "keys";

/// Looks whether there is a master key, where the database cannot say what it opens.
pub fn look_alone(patient: &Patient, told: &mut Told) {
    match patient.masters {
        Some(_) => told.skip(CHECK, "what the master key opens cannot be told: the database cannot be used"),
        None => missing(told),
    }
}

fn missing(told: &mut Told) {
    let todo = "set DAYBOOK_MASTER_KEY: the shop's own, or for a new shop one of `openssl rand -base64 32`";
    told.fail(CHECK, "DAYBOOK_MASTER_KEY is not set", todo);
}

/// Looks whether the master key opens what was sealed.
pub async fn look(patient: &Patient, told: &mut Told) {
    let (Some(masters), Some(url)) = (&patient.masters, &patient.database_url) else {
        return missing(told);
    };
    let connected = timeout(WITHIN, schema::connect(url, &patient.settings.schema, "_keys", 1)).await;
    if let Ok(Ok(pool)) = &connected
        && closed(CHECK, patient, pool, "_keys", told).await
    {
        return;
    }
    let asked = async {
        let Ok(pool) = connected else { return Err(sqlx::Error::PoolTimedOut.into()) };
        let pool = pool?;
        let vault = Vault::new(pool, Arc::new(Machine), masters);
        let wrappings = vault.wrappings().await.map_err(|error| {
            schema::SchemaError::Database(match error {
                store::vault::VaultError::Database(error) => error,
                other => sqlx::Error::Protocol(other.to_string()),
            })
        })?;
        Ok::<_, schema::SchemaError>((vault.master_id().to_owned(), wrappings))
    };
    match timeout(WITHIN, asked).await {
        Ok(Ok((id, wrappings))) if wrappings.left == 0 => {
            told.ok(CHECK, format_args!("master key {id} wraps all {} keys", wrappings.total));
        }
        Ok(Ok((id, wrappings))) => {
            let said =
                format!("{} of {} keys are not wrapped by master key {id}", wrappings.left, wrappings.total);
            match patient.settings.previous_master_key {
                Some(_) => told.warn(CHECK, said, "go on with `daybook keys rotate`"),
                None => told.fail(
                    CHECK,
                    said,
                    "give DAYBOOK_MASTER_KEY this shop's key, or the older one as DAYBOOK_MASTER_KEY_PREVIOUS",
                ),
            }
        }
        Ok(Err(error)) => told.fail(CHECK, error, "run `daybook migrate` as the owner"),
        Err(_) => told.fail(CHECK, "no answer in time", "look into the log of Postgres"),
    }
}
